from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tvo_cli.stats import wilson_interval
from tvo_cli.stats.robust_aggregates import (
    MINIMA,
    interquartile_mean,
    interquartile_mean_interval,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    reason_against_robust_aggregates,
)

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan

# rliable 1.2.0 with arch 7.2.0 and numpy 2.4.6: pip install rliable, then metrics.aggregate_iqm(A),
# metrics.probability_of_improvement(A, B), metrics.aggregate_optimality_gap(A), library.run_score_deviation(A, tau),
# library.get_interval_estimates({"a": A}, iqm, reps=50000, random_state=RandomState(0))
A = np.array([[0.12, 0.80, 0.55], [0.31, 0.42, 0.61], [0.25, 0.77, 0.38], [0.47, 0.69, 0.90], [0.05, 0.51, 0.44]])
B = np.array([[0.10, 0.62, 0.55], [0.22, 0.42, 0.70], [0.33, 0.58, 0.20], [0.29, 0.71, 0.35]])


def test_interquartile_mean_is_rliables() -> None:
    assert interquartile_mean(A) == pytest.approx(0.48666666666666664, rel=1e-12)
    assert interquartile_mean(B) == pytest.approx(0.42, rel=1e-12)
    assert interquartile_mean(A[:, 0]) == pytest.approx(0.22666666666666666, rel=1e-12)


def test_interquartile_mean_ignores_the_odd_run() -> None:
    assert interquartile_mean([1.0, 2.0, 3.0, 4.0]) == interquartile_mean([-99.0, 2.0, 3.0, 400.0]) == 2.5
    assert interquartile_mean([1.0, 2.0, 6.0]) == 3.0  # below four: the mean


def test_iqm_interval_is_rliables() -> None:
    """rliable, 50,000 draws: 0.4056 … 0.5889, and of the first task alone 0.0733 … 0.4167."""
    found = interquartile_mean_interval(A, draws=20_000)
    assert found.mean == interquartile_mean(A) and found.n == 5
    assert (found.low, found.high) == (pytest.approx(0.4056, abs=4e-3), pytest.approx(0.5889, abs=4e-3))
    one = interquartile_mean_interval(A[:, 0], draws=20_000)
    assert (one.low, one.high) == (pytest.approx(0.0733, abs=4e-3), pytest.approx(0.4167, abs=4e-3))
    assert interquartile_mean_interval(A, seed=1, draws=100) == interquartile_mean_interval(A, seed=1, draws=100)


def test_strata_stay_apart() -> None:
    """Constant tasks: a draw that mixed them would vary."""
    found = interquartile_mean_interval([[0.0, 1.0, 5.0]] * 4, draws=200)
    assert found.low == found.high == found.mean


def test_probability_of_improvement_is_rliables() -> None:
    assert probability_of_improvement(A, B).mean == pytest.approx(0.6, rel=1e-12)
    assert probability_of_improvement(A[:, 1], B[:, 1]).mean == pytest.approx(0.625, rel=1e-12)


def test_ties_count_half() -> None:
    assert probability_of_improvement([1.0, 2.0], [2.0, 2.0]).mean == 0.25
    assert probability_of_improvement([3.0] * 4, [3.0] * 4).mean == 0.5


def test_the_interval_solves_its_equation() -> None:
    """θ̂ = 0.625, n_a = 5, n_b = 4: at each end (θ̂ − θ)² = z² V(θ) with N = 4.5, one task."""
    found = probability_of_improvement(A[:, 1], B[:, 1])
    for theta in (found.low, found.high):
        inner = (1 - theta) / (2 - theta) + theta / (1 + theta)
        v = theta * (1 - theta) * (1 + 3.5 * inner) / 20
        assert (0.625 - theta) ** 2 == pytest.approx(1.959963984540054**2 * v, rel=1e-8)
    assert found.low < 0.625 < found.high and found.n == 4


def test_complete_separation_still_has_a_width() -> None:
    """At θ̂ = 1 the equation is (1−θ) n_a n_b = z² θ (1 + (N−1)(…)): for 5 and 5, θ = 0.642703."""
    won = probability_of_improvement(range(10, 15), range(5))
    assert (won.mean, won.high) == (1.0, 1.0) and won.low == pytest.approx(0.642703, abs=1e-6)
    lost = probability_of_improvement(range(5), range(10, 15))
    assert (lost.low, lost.mean) == (0.0, 0.0) and lost.high == pytest.approx(1 - won.low)


def test_more_tasks_say_more() -> None:
    one = probability_of_improvement(A[:, 1], B[:, 1])
    four = probability_of_improvement(np.tile(A[:, [1]], 4), np.tile(B[:, [1]], 4))
    assert four.mean == one.mean and four.high - four.low < 0.6 * (one.high - one.low)


def test_performance_profile_is_rliables() -> None:
    """run_score_deviation at 0, .25, .42, .5, .9: above the threshold, not at it."""
    found = performance_profile(A, [0.0, 0.25, 0.42, 0.5, 0.9])
    assert found.share == pytest.approx((1.0, 0.8, 0.6, 7 / 15, 0.0))
    assert (found.low[1], found.high[1]) == (wilson_interval(12, 15).low, wilson_interval(12, 15).high)
    assert found.thresholds == (0.0, 0.25, 0.42, 0.5, 0.9)


def test_optimality_gap_is_rliables() -> None:
    assert optimality_gap(A) == pytest.approx(0.5153333333333334, rel=1e-12)
    assert optimality_gap(A, 0.5) == pytest.approx(0.10399999999999998, rel=1e-12)


def test_greyed_out_with_the_reason() -> None:
    assert reason_against_robust_aggregates(10, "interquartile mean") is None
    assert (
        reason_against_robust_aggregates(3, "interquartile mean")
        == "interquartile mean needs at least 10 runs an arm, there are 3"
    )
    assert reason_against_robust_aggregates(1, "interval") == "interval needs at least 2 runs an arm, there is one"
    for what, least in MINIMA.items():
        assert reason_against_robust_aggregates(least, what) is None and reason_against_robust_aggregates(
            least - 1, what
        )


@pytest.mark.parametrize(
    "call",
    [
        lambda: interquartile_mean([]),
        lambda: optimality_gap([0.1, float("nan")]),
        lambda: probability_of_improvement(A, B[:, :2]),
        lambda: interquartile_mean_interval(np.zeros((2, 2, 2))),
    ],
)
def test_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
