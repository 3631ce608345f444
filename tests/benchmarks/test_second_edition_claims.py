"""The figures for docs/results/claims.md, from runs whose every number is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest

from benchmarks.harness.record import Row, read
from benchmarks.second_edition.benchmark import planned_runs
from benchmarks.second_edition.claims import figures
from tests.pages.blocks import ROOT

FINALS = {  # by row and rate: three seeds
    ("tvo_one_response", 1e-3): (0.90, 0.92, 0.94),
    ("tvo_one_response", 1e-4): (0.80, 0.82, 0.84),
    ("tvo_2025", 1e-3): (0.80, 0.82, 0.84),
    ("grpo", 1e-3): (0.70, 0.721, 0.74),
    ("ppo", 1e-3): (0.95, 0.971, 0.99),
    ("grpo_shrunk_cv", 1e-3): (0.95, 0.96, 0.999),
    ("tvo_2025 stability.refuse=4", 1e-3): (0.99, 0.99, 0.99),
}


def runs_of(sweep: str, finals: Mapping[tuple[str, float], Sequence[float]]) -> list[Row]:
    return [
        {"sweep": sweep, "row": row, "lr": rate, "seed": seed, "final": final}
        | {"entropy": 0.5 if row == "grpo_shrunk_cv" else 0.4 + 0.01 * seed}
        | {"collapsed": final < 0.81 and row == "tvo_2025", "falls": int(row == "grpo")}
        for (row, rate), found in finals.items()
        for seed, final in enumerate(found)
    ]


def lines(runs: list[Row], planned: int = 99) -> dict[str, str]:
    """The leader's column by the words of its line."""
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", figures(runs, planned), re.MULTILINE))


def test_the_leader_is_a_row_of_tvo_without_the_rule_and_signs_are_those_of_the_row() -> None:
    found = lines(runs_of("arithmetic", FINALS))
    assert found["for claims.md (partial: 21 of 99 runs, nothing is decided)"] == "tvo_one_response"
    ahead = next(value for what, value in found.items() if what.startswith("ahead of rivals, arithmetic"))
    assert ahead.startswith("1 of 2; ppo -0.050 ["), "GRPO by 0.2; the best of them is above the row"
    given = next(value for what, value in found.items() if what.startswith("of GRPO that is given"))
    assert given.startswith("grpo_shrunk_cv -0.0"), given
    spread = next(value for what, value in found.items() if what.startswith("mean final"))
    assert spread == "0.820, 0.920, 0.100"
    entropy = next(value for what, value in found.items() if what.startswith("entropy"))
    assert entropy.startswith("-0.090 [") and ", -0.050 [" in entropy


def test_collapses_are_counted_by_row_and_over_all_rows_that_have_the_rule() -> None:
    found = figures(runs_of("arithmetic", FINALS), 21)
    assert "(complete)" in found and "| 1 of 3 [" in found, "tvo_2025, the other column"
    assert "| collapsed with the rule, any row [95%], falls | 0 of 3 [0.000, 0.561]; 0 falls |" in found


@pytest.mark.parametrize("task", ["addition", "sparse"])
def test_another_task_is_read_at_the_rate_that_other_seeds_chose(task: str) -> None:
    runs = runs_of("arithmetic", FINALS)
    assert lines(runs)[f"ahead of rivals, {task}"] == "waits"
    for row, better in (("tvo_one_response", 0.9), ("ppo", 0.5), ("grpo_shrunk_cv", 0.7)):
        runs += runs_of(f"choice of rates, {task}: {row}", {(row, 3e-3): (0.9,), (row, 1e-3): (0.1,)})
        there = (better, better + 0.01, better + 0.05 - 0.04 * better)
        runs += runs_of(f"{task}: {row}", {(row, 3e-3): there, (row, 1e-3): (1.0, 1.0, 1.0)})
    found = lines(runs)
    assert found[f"ahead of rivals, {task}"].startswith("1 of 1; ppo +0.395 ["), found
    assert found[f"of GRPO that is given the pieces, {task}"].startswith("grpo_shrunk_cv +0.197 ["), found
    counted = found[f"collapsed at own rate and at 1e-3, {task}"]
    assert counted.startswith("0 of 6 ["), "its own rate and the other, not those that chose it"


def test_the_page_shows_what_the_record_says() -> None:
    """Of today: a row that is added to the record alone would leave the page behind."""
    folder = ROOT / "docs" / "results"
    record = read(folder / "second-edition" / "record.json")
    assert figures(record.rows("runs"), planned_runs(record)) in (folder / "second-edition.md").read_text(
        encoding="utf-8"
    ), "--read RECORD"
