from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from tvo_cli.stats.power import CAP, achieved_power, seeds_needed
from tvo_cli.stats.t_tests import paired_difference

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan


def with_effect(effect: float) -> list[float]:
    """Three numbers with mean `effect` and standard deviation 1."""
    return [effect - 1.0, effect, effect + 1.0]


@pytest.mark.parametrize(("effect", "alone", "both"), [(0.5, 34, 64), (1.0, 10, 17), (2.0, 5, 6)])
def test_seeds_of_cohens_effects(effect: float, alone: int, both: int) -> None:
    """statsmodels 0.15.0, power .8, alpha .05: TTestPower 33.37, 9.94, 4.22; TTestIndPower 63.77, 16.71, 5.09."""
    assert seeds_needed(with_effect(effect), [0.0] * 3, True) == alone
    assert seeds_needed(with_effect(effect), with_effect(0.0), False) == both


def test_the_answer_is_the_least() -> None:
    assert achieved_power(1.0, 1.0, 10, 0.95) >= 0.8 > achieved_power(1.0, 1.0, 9, 0.95)
    needed = seeds_needed(with_effect(1.0), [0.0] * 3, True, power=0.95)
    assert needed is not None and needed > 10


def test_the_power_is_what_happens() -> None:
    """20,000 experiments of 5 pairs at effect 1."""
    draws = np.random.default_rng(0).normal(1.0, 1.0, (20_000, 5))
    t = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / math.sqrt(5))
    assert achieved_power(1.0, 1.0, 5, 0.95) == pytest.approx(float((abs(t) > 2.7764451).mean()), abs=0.01)
    assert achieved_power(0.0, 1.0, 5, 0.95) == pytest.approx(0.05, abs=1e-9)


def test_the_power_of_welch_is_what_happens() -> None:
    """Spreads 1 and 3 at a difference of 4, 40,000 experiments of 7 and 6 seeds an arm."""
    generator, happened = np.random.default_rng(0), {}
    for n in (6, 7):
        a, b = generator.normal(4.0, 1.0, (40_000, n)), generator.normal(0.0, 3.0, (40_000, n))
        happened[n] = float(np.mean(ttest_ind(a, b, axis=1, equal_var=False).pvalue < 0.05))
    assert happened[6] < 0.8 <= happened[7]
    assert seeds_needed(with_effect(4.0), [-3.0, 0.0, 3.0], False) == 7
    assert achieved_power(4.0 / math.sqrt(10.0), 100 / 82, 7, 0.95) == pytest.approx(happened[7], abs=0.01)


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        ([1.0, 2.0], [2.0, 1.0], True),  # no difference
        ([1.0], [2.0], True),
        ([1.0], [2.0, 3.0], False),
        ([0.5, 0.6], [0.4, 0.5], True),  # no spread
        ([1.0, float("nan")], [2.0, 3.0], False),
    ],
)
def test_no_answer(a: list[float], b: list[float], pairs: bool) -> None:
    assert seeds_needed(a, b, pairs) is None


@pytest.mark.parametrize("spread", [0.01, 0.3, 1.0, 3.0])
def test_a_larger_effect_never_takes_more(spread: float) -> None:
    """scipy's noncentral t is nan at places; one met during the search sent it to thousands of seeds."""
    other = [-spread, 0.0, spread]
    told = [seeds_needed(with_effect(effect), other, False) for effect in np.geomspace(0.05, 60.0, 300)]
    assert told == sorted((one for one in told if one is not None), reverse=True) and told[-1] == 2


def test_unequal_spreads_cost_degrees_of_freedom() -> None:
    """A difference of 3, σ² = 10: at spreads 1 and 3 ν = (n−1)·100/82; at √5 and √5 ν = 2(n−1)."""
    even = [-math.sqrt(5.0), 0.0, math.sqrt(5.0)]
    assert seeds_needed(with_effect(3.0), [-3.0, 0.0, 3.0], False) == 11
    assert seeds_needed([x + 3.0 for x in even], even, False) == 10


def test_the_cap() -> None:
    assert seeds_needed([0.0, 1.0, 2.001], [1.0, 0.0, 2.0], True) == CAP


def test_a_huge_effect_takes_two() -> None:
    assert seeds_needed([1e6 - 1.0, 1e6, 1e6 + 1.0], [0.0] * 3, True) == 2
    assert seeds_needed(with_effect(60.0), [0.0] * 3, True) in (2, 3)


def test_unequal_pairs_are_refused() -> None:
    with pytest.raises(ValueError):
        seeds_needed([1.0, 2.0], [1.0], True)


def test_separated_arms_need_no_more_seeds_than_they_have() -> None:
    a, b = [0.62, 0.71, 0.58, 0.68, 0.60], [0.52, 0.60, 0.50, 0.55, 0.49]
    assert paired_difference(a, b).p < 0.01
    assert (seeds_needed(a, b, True) or 99) <= 5
