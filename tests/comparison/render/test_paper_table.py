"""The table for a paper: its numbers, and what stands in bold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.comparison.conftest import made, write_run
from tvo_cli.comparison.render.paper_columns import COLUMNS, DEFAULT_COLUMNS, best_arm_of_column, mean_and_half_width
from tvo_cli.comparison.render.paper_table import paper_table_as_latex
from tvo_cli.errors import UserError
from tvo_cli.stats.confidence_interval import ConfidenceInterval

APART = {"tvo": (0.80, 0.91, 0.87), "grpo": (0.70, 0.80, 0.75), "ppo": (0.60, 0.71, 0.66)}  # pairs differ by 9 to 21
# TVO − GRPO is 7.512, 10 and 12.488 points: mean 10, sd 2.488, t = 6.96 of 2 degrees, p = 1 − t/√(2 + t²) = 0.020;
# TVO − PPO likewise, p = 0.021. Over these two Holm gives 0.04, over all three pairs 0.06.
NEARLY = {"tvo": (0.57512, 0.6, 0.62488), "grpo": (0.5, 0.5, 0.5), "ppo": (0.501, 0.499, 0.5)}
TWO_ALIKE = {"tvo": (0.80, 0.91, 0.87), "ppo": (0.80, 0.90, 0.89), "grpo": (0.30, 0.40, 0.35)}
CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "apart from all": (APART, "tvo"),
    "only without the third pair": (NEARLY, None),
    "apart from the baseline alone": (TWO_ALIKE, None),
    "one arm": ({"tvo": (0.8, 0.9)}, None),
    "one seed": ({"tvo": (0.9,), "ppo": (0.1,)}, None),
}


def written(root: Path, finals: Mapping[str, Sequence[float]], **settings: Any) -> Path:
    for algorithm, values in finals.items():
        for seed, value in enumerate(values):
            write_run(root, algorithm, seed, value, settings=settings.get(algorithm))
    return root


def bold(root: Path, **wishes: Any) -> set[str | None]:
    return {best_arm_of_column(COLUMNS["final"], one.found) for one in made(root, **wishes).sections}


@pytest.mark.parametrize("case", CASES)
def test_bold_is_what_is_separated_from_every_other_arm(tmp_path: Path, case: str) -> None:
    finals, expected = CASES[case]
    assert bold(written(tmp_path, finals)) == {expected}


def test_an_arm_that_waits_for_a_run_leaves_nothing_bold(tmp_path: Path) -> None:
    write_run(written(tmp_path, APART), "ppo", 3, None)
    assert bold(tmp_path) == {None}


def test_the_lowest_is_bold_where_less_is_better(tmp_path: Path) -> None:
    for file in written(tmp_path, APART).glob("*/metrics.jsonl"):
        file.write_text(file.read_text().replace("eval/pass@1", "eval/unanswered"))
    assert bold(tmp_path, metric="eval/unanswered") == {"ppo"}


def test_nothing_is_bold_where_arms_were_evaluated_in_different_ways(tmp_path: Path) -> None:
    settings = {"evaluation.problems": 16, "evaluation.temperature": 1.0}
    assert bold(written(tmp_path, APART, tvo=settings), force=True) == {None}


def test_the_table_is_a_whole_environment_with_label_and_the_meaning_of_bold(tmp_path: Path) -> None:
    said = paper_table_as_latex(made(written(tmp_path, APART)), DEFAULT_COLUMNS)
    lines = said.splitlines()
    rules = [line for line in lines if line.endswith("rule")]
    assert rules == [r"\toprule", r"\midrule", r"\bottomrule"] and r"\label{tab:tvo-comparison}" in lines
    # the mean of 0.80, 0.91 and 0.87 is 86.0%, their sd 5.57 points, half the interval 4.3027 · 5.57 / √3 = 13.8
    [tvo] = [line for line in lines if line.startswith("TVO &")]
    assert r"\textbf{86.0\,$\pm$\,13.8}" in tvo and "$10^{-3}$" in tvo and tvo.endswith(r"0/3 \\")
    assert r"Bold: the best mean, separated from every other arm at 5\%" in said
    assert r"$-$ GRPO (points)" in said and "(baseline)" in said
    assert r"*: separated at 5\% (Holm)." in said and "Holm's" not in said


def test_the_caption_says_so_where_nothing_is_bold_and_what_failed(tmp_path: Path) -> None:
    folder = write_run(written(tmp_path, TWO_ALIKE), "ppo", 3, None)
    (folder / "state.json").write_text(json.dumps({"state": "failed", "reason": "out of memory"}))
    said = paper_table_as_latex(made(tmp_path), ("final", "seeds"))
    assert "No mean is bold: none is separated from every other arm" in said and "textbf" not in said
    assert "1 run failed; a failed run counts as 0." in said


def test_columns_come_in_the_order_asked_for_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    document = made(written(tmp_path, APART))
    heading = next(line for line in paper_table_as_latex(document, ("p", "seeds")).splitlines() if "seeds \\" in line)
    assert heading == r" & p & seeds \\"
    assert all(paper_table_as_latex(document, [name]) for name in COLUMNS)
    wide = paper_table_as_latex(document, list(COLUMNS))
    assert r"\small\setlength{\tabcolsep}{4pt}" in wide and "Best: the best mean of 5 steps of accuracy/fresh" in wide
    with pytest.raises(UserError, match=r"^--columns=finl: there is no such column\. Nearest: final"):
        paper_table_as_latex(document, ("finl",))


def test_half_widths_decide_the_decimals() -> None:
    nan = float("nan")
    for found, said in (
        (ConfidenceInterval(1234.5678, 1233.3333, 1235.8023, 3), "1234.6 ± 1.2"),
        (ConfidenceInterval(0.0123, 0.0119, 0.0127, 3), "0.01230 ± 0.00040"),
        (ConfidenceInterval(7.26, nan, nan, 1), "7.3"),
        (ConfidenceInterval(nan, nan, nan, 0), "—"),
    ):
        assert mean_and_half_width(found) == said
    assert mean_and_half_width(ConfidenceInterval(0.05, 0.01, 0.09, 3), share=True, signed=True) == "+5.0 ± 4.0"
