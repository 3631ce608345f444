from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tvo_cli.stats.rate_sweep import area_over_learning_rates, worst_over_learning_rates
from tvo_cli.stats.sample_efficiency import first_threshold_crossing
from tvo_cli.stats.survival import kaplan_meier, median_survival_time

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan

NAN = float("nan")


def test_first_crossing() -> None:
    assert first_threshold_crossing([10, 20, 30], [0.1, 0.5, 0.7], 0.5) == (20.0, True)  # at counts as over
    assert first_threshold_crossing([10, 20, 30], [0.1, 0.49, 0.7], 0.5) == (30.0, True)  # not interpolated
    assert first_threshold_crossing([10, 20, 30], [0.1, 0.6, 0.2], 0.5) == (20.0, True)  # a fall later changes nothing
    assert first_threshold_crossing([10, 20, 30], [0.9, 0.1, 0.2], 0.5) == (10.0, True)


def test_a_curve_that_does_not_cross_is_censored() -> None:
    assert first_threshold_crossing([10, 20, 30], [0.1, 0.2, 0.3], 0.5) == (30.0, False)


def test_nan_neither_crosses_nor_ends_the_watch() -> None:
    assert first_threshold_crossing([10, 20, 30], [NAN, NAN, 0.6], 0.5) == (30.0, True)
    assert first_threshold_crossing([10, 20, 30], [0.1, NAN, NAN], 0.5) == (30.0, False)
    assert first_threshold_crossing([10, 20, NAN], [0.1, 0.2, 0.9], 0.5) == (20.0, False)
    x, observed = first_threshold_crossing([], [], 0.5)
    assert math.isnan(x) and not observed
    with pytest.raises(ValueError):
        first_threshold_crossing([1, 2], [0.1], 0.5)


def test_censored_seeds_are_not_dropped() -> None:
    """Two of three seeds cross, at 10 and 20; the mean over those that did would say 15."""
    found = [
        first_threshold_crossing([10, 20, 30], ys, 0.5) for ys in ([0.6, 0.7, 0.8], [0.1, 0.5, 0.6], [0.1, 0.2, 0.3])
    ]
    assert median_survival_time(kaplan_meier([x for x, _ in found], [seen for _, seen in found])) == 20


def test_area_is_the_mean_over_the_log_learning_rate() -> None:
    grid = [math.log(x) for x in (1e-4, 1e-3, 1e-2)]
    assert area_over_learning_rates(grid, [0.2, 0.6, 0.0]) == pytest.approx((0.4 + 0.3) / 2)
    assert area_over_learning_rates(grid[::-1], [0.0, 0.6, 0.2]) == pytest.approx(0.35)
    assert area_over_learning_rates([0.0, 1.0, 3.0], [1.0, 0.0, 0.0]) == pytest.approx(0.5 / 3)  # uneven grid
    assert area_over_learning_rates([3.0, 0.0, 1.0], [0.0, 1.0, 0.0]) == pytest.approx(0.5 / 3)
    assert area_over_learning_rates(grid, [0.7] * 3) == pytest.approx(0.7)
    assert area_over_learning_rates([-7.0], [0.3]) == 0.3
    assert math.isnan(area_over_learning_rates(grid, [0.2, NAN, 0.0]))


def test_worst_case() -> None:
    assert worst_over_learning_rates([0.4, 0.1, 0.6]) == 0.1
    assert math.isnan(worst_over_learning_rates([0.4, NAN]))


@pytest.mark.parametrize(
    "call",
    [
        lambda: area_over_learning_rates([], []),
        lambda: area_over_learning_rates([1, 1], [1, 2]),
        lambda: worst_over_learning_rates([]),
    ],
)
def test_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()
