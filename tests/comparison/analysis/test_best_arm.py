"""An arm is best by its own tests; which run of a seed counts, and which rows and values of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tvo_cli.comparison.analysis.arms_and_blocks import _rank_of_repeat
from tvo_cli.comparison.analysis.best_arm import _is_settled_for
from tvo_cli.comparison.analysis.contrast_over_problems import _scores_in_responses_file
from tvo_cli.comparison.analysis.run_values import last_value


@pytest.mark.parametrize(
    ("arm", "less", "difference", "settled"),
    [("a", False, 0.1, True), ("a", False, -0.1, False), ("b", False, -0.1, True), ("a", True, -0.1, True)],
)
def test_a_difference_is_settled_for_the_arm_that_it_favours(
    arm: str, less: bool, difference: float, settled: bool
) -> None:
    """Over the seeds that both have, the sign may be another than over all of them."""
    contrast: Any = SimpleNamespace(
        a=SimpleNamespace(arm="a"),
        over_seeds=SimpleNamespace(difference=difference),
        separated=True,
        pending=(0, 0),
    )
    how: Any = SimpleNamespace(less=less)
    assert _is_settled_for(arm, contrast, how) is settled


def test_of_repeats_a_run_that_goes_on_counts_before_one_that_failed() -> None:
    def trial(state: str, ended: str = "") -> Any:
        return SimpleNamespace(state=state, run=SimpleNamespace(summary={"finished": ended}))

    failed, running, early, late = trial("failed"), trial("unfinished"), trial("finished", "1"), trial("finished", "2")
    assert sorted([late, running, failed, early], key=_rank_of_repeat) == [failed, running, early, late]


def test_a_value_that_is_no_number_is_no_final() -> None:
    def of(value: float) -> float | None:
        run = SimpleNamespace(summary={"evaluation": {"eval/pass@1": value}})
        trial: Any = SimpleNamespace(run=run, curve=lambda metric: ([], []))
        how: Any = SimpleNamespace(metric="eval/pass@1", evaluated=True)
        return last_value(trial, how)

    assert of(0.5) == 0.5 and of(float("nan")) is None


def test_problems_of_further_test_sets_are_none_of_a_runs_own(tmp_path: Path) -> None:
    rows = [{"id": "p0", "sample": 0, "correct": True}, {"id": "m0", "sample": 0, "correct": False, "test_set": "math"}]
    (tmp_path / "responses").mkdir()
    path = tmp_path / "responses" / "evaluation-step-000002.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert _scores_in_responses_file(tmp_path, "") == {"p0": [1.0]}
