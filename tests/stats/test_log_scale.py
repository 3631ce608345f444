from __future__ import annotations

import math

import numpy as np
import pytest

from tvo_cli.stats.log_scale import ratio_of_means_interval, series_log_fluctuation

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan


def test_paired_ratio_by_hand() -> None:
    """Log ratios log 2, log 4, log 8: mean log 4, sd log 2, reach 4.302653·log 2/√3."""
    found = ratio_of_means_interval([2.0, 4.0, 8.0], [1.0, 1.0, 1.0], True)
    reach = 4.302652729749 * math.log(2.0) / math.sqrt(3.0)
    assert found[:3] == pytest.approx((4.0, 4.0 * math.exp(-reach), 4.0 * math.exp(reach)), rel=1e-9)
    assert found.n == 3


def test_pairs_share_their_seeds() -> None:
    a, b = [2.0, 21.0, 190.0], [1.0, 10.0, 100.0]
    assert ratio_of_means_interval(a, b, True).low > 1.7 and ratio_of_means_interval(a, b, False).low < 0.1


def test_a_ratio_without_an_upper_end() -> None:
    found = ratio_of_means_interval([1e-150, 1.0], [1.0, 1e-150], False)
    assert found.mean == pytest.approx(1.0) and (found.low, found.high) == (0.0, math.inf)


def test_welch_ratio_takes_arms_of_different_sizes() -> None:
    found = ratio_of_means_interval([2.0, 8.0], [1.0, 4.0, 2.0], False)
    assert found.mean == pytest.approx(2.0) and found.low < 1.0 < found.high and found.n == 2


def test_units_and_direction() -> None:
    a, b = [3.0, 5.0, 4.0], [1.0, 2.5, 1.2]
    one, turned, scaled = (
        ratio_of_means_interval(a, b, True),
        ratio_of_means_interval(b, a, True),
        ratio_of_means_interval([9 * x for x in a], b, True),
    )
    assert turned.low == pytest.approx(1 / one.high) and scaled.low == pytest.approx(9 * one.low)


def test_what_has_no_logarithm_has_no_ratio() -> None:
    for bad in (0.0, -1.0, float("nan"), math.inf):
        assert all(map(math.isnan, ratio_of_means_interval([1.0, bad], [1.0, 2.0], True)[:3]))
    one = ratio_of_means_interval([4.0], [2.0], True)
    assert one.mean == pytest.approx(2.0) and math.isnan(one.low)


def test_log_fluctuation_by_hand() -> None:
    """Log jumps +log 2, −log 2, +log 2: mean log 2/3, sd (2/√3) log 2, over √2."""
    assert series_log_fluctuation([1, 2, 1, 2]) == pytest.approx(2 / math.sqrt(3) * math.log(2) / math.sqrt(2))


def test_a_straight_trend_is_not_fluctuation() -> None:
    assert series_log_fluctuation([3.0**t for t in range(10)]) == pytest.approx(0.0, abs=1e-12)
    noise = np.random.default_rng(0).normal(0.0, 0.3, 20_000)
    assert series_log_fluctuation(np.exp(noise)) == pytest.approx(0.3, abs=0.01)
    assert series_log_fluctuation(np.exp(noise + 0.001 * np.arange(20_000))) == pytest.approx(0.3, abs=0.01)


def test_lasting_noise_gives_less() -> None:
    """AR(1) with ρ = 0.75 and standard deviation 1: √(1−ρ) = 0.5."""
    generator, level, series = np.random.default_rng(0), 0.0, []
    for step in generator.normal(0.0, math.sqrt(1 - 0.75**2), 50_000):
        level = 0.75 * level + step
        series.append(math.exp(level))
    assert series_log_fluctuation(series) == pytest.approx(0.5, abs=0.02)


def test_gaps_are_not_bridged() -> None:
    nan = float("nan")
    assert series_log_fluctuation([1, 2, nan, 100, 200, 0, 1, 2, math.inf, math.inf]) == pytest.approx(
        0.0, abs=1e-12
    )  # three jumps of log 2
    assert (
        math.isnan(series_log_fluctuation([1, 2]))
        and math.isnan(series_log_fluctuation([]))
        and math.isnan(series_log_fluctuation([0, 0, 0]))
    )
