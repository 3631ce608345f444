"""Which rates compete for being an arm's own, and which of its runs the row then shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.comparison.conftest import column, made, table, write_run
from tvo_cli.comparison.analysis.rate_choice import competing_rates
from tvo_cli.comparison.render import paper_table, report_json
from tvo_cli.comparison.render.document import DocumentVerdict
from tvo_cli.comparison.render.paper_columns import COLUMNS, DEFAULT_COLUMNS, best_arm_of_column

FINALS = {1e-4: (0.70, 0.72, 0.60), 1e-3: (0.60, 0.62, 0.90)}  # 1e-3 is the best: means 0.673 and 0.707
APART = {"tvo": (0.80, 0.91, 0.87), "grpo": (0.70, 0.80, 0.75)}  # 10, 11 and 12 points


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """Two arms at two rates with three finished seeds each."""
    for rate, row in FINALS.items():
        for seed, final in enumerate(row):
            write_run(tmp_path, "tvo", seed, final, lr=rate)
            write_run(tmp_path, "grpo", seed, 0.5 + seed / 100, lr=rate)
    return tmp_path


def seeds_of_tvo(root: Path, **wishes: Any) -> str:
    return column(table(made(root, **wishes), "arms"), "each seed")[1]


def verdict_at_own_rates(root: Path) -> DocumentVerdict:
    return made(root).sections[0].verdicts[0]


@pytest.mark.parametrize(
    ("way", "seeds"),
    [
        ("corrected", "60.0 62.0 90.0"),
        ("same", "60.0 62.0 90.0"),
        ("half", "72.0 60.0"),
        ("leave-one-out", "60.0 62.0 60.0"),
    ],
)
def test_a_run_still_going_of_a_seed_without_any_value_is_in_the_row(swept: Path, way: str, seeds: str) -> None:
    for rate in FINALS:
        write_run(swept, "tvo", 3, None, lr=rate)
    assert seeds_of_tvo(swept, way=way) == f"{seeds} …"


def test_what_a_row_still_waits_for_is_said_beside_the_verdict(swept: Path) -> None:
    for rate in FINALS:
        write_run(swept, "tvo", 3, None, lr=rate)
    write_run(swept, "grpo", 3, None, lr=1e-3)  # GRPO's own rate is 1e-4, of equals the smaller
    beside = verdict_at_own_rates(swept).beside
    assert "provisional: 1 run of TVO not finished, no final value yet" in beside
    assert "provisional: 1 run of TVO at other rates not finished, its best rate may change" in beside
    assert "provisional: 1 run of GRPO at other rates not finished, its best rate may change" in beside
    assert "provisional: 1 run of GRPO not finished, no final value yet" not in beside


def test_a_difference_is_separated_so_far_where_another_rate_is_still_running(tmp_path: Path) -> None:
    for algorithm, row in APART.items():
        for seed, final in enumerate(row):
            write_run(tmp_path, algorithm, seed, final)
            write_run(tmp_path, algorithm, seed, final - 0.2, lr=1e-4)
    settled = made(tmp_path)
    assert ": separated (" in settled.sections[0].verdicts[0].sentence
    assert "area, TVO − GRPO" in settled.sections[0].robust[2] and ": separated (" in settled.sections[0].robust[2]
    assert best_arm_of_column(COLUMNS["final"], settled.sections[0].found) == "tvo"
    write_run(tmp_path, "grpo", 3, None, lr=1e-4)
    [waiting] = made(tmp_path).sections
    assert ": separated so far (" in waiting.verdicts[0].sentence
    assert ": separated so far (" in waiting.robust[2]
    assert [best_arm_of_column(COLUMNS[name], waiting.found) for name in ("final", "area")] == [None, None]


def test_a_failed_run_that_is_left_out_is_in_the_row_of_a_chosen_rate(swept: Path) -> None:
    folder = write_run(swept, "tvo", 3, None, lr=1e-3)
    (folder / "run.log").write_text("x\n2026 ERROR tvo: stopped by RuntimeError: out of luck\n")
    assert seeds_of_tvo(swept, failed="out") == "60.0 62.0 90.0 ·"


@pytest.mark.parametrize(
    ("seeds", "competing"),
    [
        ((5, 2, 3), (5, 3)),  # at least half of five
        ((4, 2, 1), (4, 2)),
        ((3, 2, 1), (3, 2)),
        ((2, 1), (2,)),  # one seed has no spread
        ((1, 1), (1, 1)),  # and where none has two, nothing is known better
        ((10, 4, 10), (10, 10)),
    ],
)
def test_a_rate_competes_with_half_of_the_fullest_ones_seeds(
    seeds: tuple[int, ...], competing: tuple[int, ...]
) -> None:
    found = {10.0**-i: {str(seed): 0.5 for seed in range(n)} for i, n in enumerate(seeds)}
    assert tuple(map(len, competing_rates(found).values())) == competing
    assert competing_rates({}) == {}


@pytest.fixture
def few_seeds(tmp_path: Path) -> Path:
    """TVO's rate 1e-3 looks best after two of five seeds; GRPO has one rate."""
    for seed in range(5):
        write_run(tmp_path, "tvo", seed, 0.60 + seed / 100, lr=1e-4)
        write_run(tmp_path, "tvo", seed, 0.50 + seed / 100, lr=1e-5)
        write_run(tmp_path, "grpo", seed, 0.58, lr=1e-4)
    for seed in range(2):
        write_run(tmp_path, "tvo", seed, 0.95, lr=1e-3)
    return tmp_path


@pytest.mark.parametrize("way", ["corrected", "same", "leave-one-out"])
def test_a_rate_of_two_seeds_does_not_win_over_rates_of_five(few_seeds: Path, way: str) -> None:
    found = table(made(few_seeds, way=way), "arms")
    assert column(found, "rate")[1] == "1e-4" and column(found, "each seed")[1] == "60.0 61.0 62.0 63.0 64.0"
    sentence = made(few_seeds, way=way).sections[0].verdicts[0].sentence
    assert sentence.startswith("TVO − GRPO = +4.0 points") and "5 paired seeds" in sentence


def test_a_rate_that_does_not_compete_is_named_with_its_seeds(few_seeds: Path) -> None:
    document = made(few_seeds)
    said = "TVO: not in the choice of its rate: 1e-3 (2 of 5 seeds)"
    assert any(one.startswith(said) for one in document.sections[0].warnings)
    [section] = json.loads(report_json.report_as_json(document))["sections"]
    assert section["rates not in the choice"] == [{"arm": "tvo", "rate": 0.001, "seeds": 2, "of": 5}]
    assert r"TVO: not in the choice of its rate: 1e-3 (2 of 5 seeds)" in paper_table.paper_table_as_latex(
        document, DEFAULT_COLUMNS
    )


def test_where_all_rates_have_their_seeds_nothing_is_left_out_of_the_choice(swept: Path) -> None:
    document = made(swept)
    assert document.sections[0].warnings == ()
    assert json.loads(report_json.report_as_json(document))["sections"][0]["rates not in the choice"] == []


def test_half_chooses_no_rate_that_the_scored_half_was_not_run_at(tmp_path: Path) -> None:
    for seed in range(4):
        write_run(tmp_path, "tvo", seed, 0.60 + seed / 100, lr=1e-4)
        write_run(tmp_path, "tvo", seed, 0.50, lr=1e-5)
        write_run(tmp_path, "grpo", seed, 0.5, lr=1e-4)
    for seed in range(2):  # the half that chooses
        write_run(tmp_path, "tvo", seed, 0.9, lr=1e-3)
    assert seeds_of_tvo(tmp_path, way="half") == "62.0 63.0"


def test_a_run_still_going_in_the_row_is_in_no_mean_of_costs(swept: Path) -> None:
    """Three runs of 40 s in 4 steps; what the fourth has taken so far, 10 s, is no run's cost."""
    for seed in range(4):
        final, steps = (None, 1) if seed == 3 else (0.9, 4)
        folder = write_run(swept, "tvo", seed, final, lr=1e-2, curve=(0.1,) * steps, settings={"trainer.steps": 4})
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for row in rows:
            row |= {} if "eval/pass@1" in row else {"time/step": 10.0, "tokens": 100 * row["step"]}
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = made(swept)
    assert seeds_of_tvo(swept) == "90.0 90.0 90.0 …"
    shown = {row[0].text + " " + row[1].text: [cell.text for cell in row[2:4]] for row in table(document, "cost").rows}
    assert shown["tvo own"] == shown["tvo 1e-2"] == ["40.0", "400"]
