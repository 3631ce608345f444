"""Means and noise of a growing curve, against slow formulas."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from tests.diagnosis.logs import line, noisy
from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failures.entropy_collapse import windows_until_entropy_collapse
from tvo_cli.stability.step_accuracy import share_standard_error


def curve(values: list[float]) -> Curve:
    return Curve.of(range(1, len(values) + 1), values)


def test_means_are_means_of_the_stretch() -> None:
    values = noisy([0.3] * 40, 0.1)
    assert curve(values).mean(7, 21) == pytest.approx(statistics.fmean(values[7:21]))


def test_noise_is_the_deviation_and_a_trend_hardly_moves_it() -> None:
    assert curve(noisy([0.0] * 5000, 0.1)).noise(0, 5000) == pytest.approx(0.1, rel=0.05)
    assert curve(noisy(line(0.0, 5.0, 5000), 0.1)).noise(0, 5000) == pytest.approx(0.1, rel=0.05)


def test_a_change_has_the_error_of_two_means() -> None:
    change, error = curve([0.0, 0.2, 0.0, 0.2, 1.0, 1.2, 1.0, 1.2]).change(4)
    sd = 0.2 * math.sqrt(math.pi) / 2  # of differences of 0.2
    assert (change, error) == (pytest.approx(1.0), pytest.approx(sd * math.sqrt(2 / 4)))
    assert curve([1.0] * 7).change(4) == (0.0, math.inf)


def test_a_single_value_above_does_not_end_a_stretch_below() -> None:
    assert curve([1, 1, 0, 0, 1, 0, 0]).below_since(0.5) == 3
    assert curve([0, 0, 1, 1, 0, 0]).below_since(0.5) == 5


@pytest.mark.parametrize(
    ("need", "fall", "before", "windows"),
    [
        (0.0, 0.1, 0.1, 0.0),
        (1.0, 0.1, 0.1, 10.0),
        (1.0, 0.1, 0.05, 10.0),
        (0.15, 0.2, 0.4, 2.0),
        (0.3, 0.2, 0.4, math.inf),
    ],
)
def test_a_fall_that_slows_down_is_extrapolated_as_one(need: float, fall: float, before: float, windows: float) -> None:
    # 0.1 + 0.05 = 0.15; it never adds up to 0.2
    assert windows_until_entropy_collapse(need, fall, before) == pytest.approx(windows)


def test_the_error_of_a_share_is_bernoullis() -> None:
    assert share_standard_error(0.5, 100) == pytest.approx(0.05) and share_standard_error(0.5, None) == 0.0


def alike(steps: int, correlation: float, seed: int = 0) -> list[float]:
    """An AR(1) process of variance 1."""
    rng, values = random.Random(seed), [0.0]
    for _ in range(steps):
        values.append(correlation * values[-1] + rng.gauss(0.0, math.sqrt(1.0 - correlation**2)))
    return values[1:]


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_the_lasting_noise_is_that_of_a_mean_over_neighbours_that_go_together(correlation: float) -> None:
    true = math.sqrt((1 + correlation) / (1 - correlation))
    found = [curve(alike(2000, correlation, seed)).lasting_noise() for seed in range(10)]
    assert statistics.fmean(found) == pytest.approx(true, rel=0.15)


def test_a_trend_is_no_lasting_noise_and_few_values_tell_none() -> None:
    assert curve(line(0.0, 5.0, 500)).lasting_noise() == pytest.approx(0.0, abs=1e-9)
    assert curve(noisy([0.0] * 99)).lasting_noise() == 0.0


def test_the_lasting_noise_of_a_restored_curve_is_the_same() -> None:
    grown = curve(alike(150, 0.5))
    grown.lasting_noise()
    for at, value in enumerate(alike(7, 0.5, 1)):
        grown.append(151 + at, value)
    assert Curve.of(**grown.state_dict()).lasting_noise() == grown.lasting_noise() > 0.0


def test_the_last_window_may_be_longer_than_the_first() -> None:
    change, error = curve([0.0, 0.2, 0.0, 0.2, *([1.0, 1.2] * 8)]).change(4, last=16)
    sd = 0.2 * math.sqrt(math.pi) / 2
    assert (change, error) == (pytest.approx(1.0), pytest.approx(sd * math.sqrt(1 / 4 + 1 / 16)))
