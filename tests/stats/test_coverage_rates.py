"""False alarms and power of the ways to choose an arm's rate; docs/results/intervals.md has the whole table."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.coverage.rates import CASES, WAYS, draw, measure
from tests.slow_cases import mostly_slow
from tvo_cli.comparison.analysis import rate_choice, run_values
from tvo_cli.comparison.analysis.arms_and_blocks import Arm, ArmAtRate
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.rate_choice import CORRECTED, HALF, LEAVE_ONE_OUT

TRIALS = 4000  # one standard error of 5% is 0.35 points
HOW = MetricChoice("eval/pass@1")


@pytest.mark.parametrize("seeds", mostly_slow([3, 5, 10], (5,)))
@pytest.mark.parametrize("case", CASES)
def test_the_default_keeps_its_level(case: str, seeds: int) -> None:
    found = measure(WAYS[CORRECTED], CASES[case], seeds, TRIALS)
    rough = case.startswith(("a fragile rate", "unequal: eight"))  # what it does not hold: said in intervals.md
    assert found.alarms < (0.085 if rough else 0.07)
    assert found.covers > (0.89 if rough else 0.92)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_default_keeps_its_level_at_twenty_seeds(case: str) -> None:
    assert measure(WAYS[CORRECTED], CASES[case], 20, TRIALS).alarms < 0.08


def test_leave_one_out_does_not() -> None:
    assert measure(WAYS[LEAVE_ONE_OUT], CASES["four rates tied"], 10, TRIALS).alarms > 0.17


@pytest.mark.parametrize("case", ["four rates tied", "each 0.5 sd below the one before", "a clear best"])
def test_it_finds_what_a_single_rate_would_and_half_finds_half(case: str) -> None:
    """The shift is such that a paired t of one rate finds 70% at ten seeds."""
    assert measure(WAYS[CORRECTED], CASES[case], 10, TRIALS).power > 0.66
    assert measure(WAYS[HALF], CASES[case], 10, TRIALS).power < 0.40


def arm_of(scores: np.ndarray) -> Arm:
    """[seeds, rates] as the comparison sees it, without files."""
    grid = [(10.0**-rate, scores[:, rate]) for rate in range(scores.shape[1])]
    runs = [
        SimpleNamespace(rate=rate, seed=str(seed), state="finished", value=float(value))
        for rate, column in sorted(grid, key=lambda one: one[0])
        for seed, value in enumerate(column)
    ]
    return Arm("made", tuple(runs))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_the_simulated_ways_are_those_of_the_comparison(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_values, "final_value", lambda trial, how: trial.value)
    many = draw(np.random.default_rng(5), 20, 7, CASES["each 0.5 sd below the one before"][0], 0.0)
    simulated = WAYS[way](many)
    for scores, expected in zip(many, simulated, strict=True):
        found = rate_choice.choose_rate(arm_of(scores), HOW, way)
        assert isinstance(found.cell, ArmAtRate)
        assert sorted(found.values(HOW).values()) == pytest.approx(sorted(expected))
