"""The interval of an evaluation holds the accuracy; docs/results/intervals.md has the whole table."""

from __future__ import annotations

import pytest

from benchmarks.coverage.shares import KINDS, coverage, exact, walds
from tvo_cli.stats import clustered_interval, wilson_interval


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("accuracy", [0.02, 0.97])
def test_mostly_unsolvable_and_mostly_solved_problems(kind: str, accuracy: float) -> None:
    """30 problems × 32 samples, where t over the problems' means covers as little as 74%."""
    held, _ = coverage(clustered_interval, KINDS[kind], 30, 32, accuracy, 400)
    assert held >= 0.93


def test_t_over_the_means_is_what_falls_short() -> None:
    assert coverage(walds, KINDS["logit-normal, spread 3"], 30, 32, 0.02, 400)[0] < 0.85


@pytest.mark.parametrize("accuracy", [0.2, 0.5])
def test_in_the_middle_it_is_hardly_wider(accuracy: float) -> None:
    ours = coverage(clustered_interval, KINDS["beta, strength 1.5"], 200, 8, accuracy, 200)[1]
    assert ours < 1.04 * coverage(walds, KINDS["beta, strength 1.5"], 200, 8, accuracy, 200)[1]


@pytest.mark.parametrize("problems", [30, 100, 500])
def test_one_score_a_problem_exactly(problems: int) -> None:
    least, mean, _ = exact(problems, lambda k: wilson_interval(k, problems)[1:3])
    assert least > 0.915 and mean == pytest.approx(0.951, abs=0.004)
