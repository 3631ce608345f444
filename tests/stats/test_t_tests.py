from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tvo_cli.stats.t_tests import Difference, holm_adjusted, paired_difference, welch_difference

pytestmark = pytest.mark.filterwarnings("error")  # numpy says nothing on the way to a nan

TVO = [0.62, 0.71, 0.55, 0.68, 0.60]
GRPO = [0.58, 0.66, 0.57, 0.61, 0.52]
NAN = float("nan")


def close(found: Difference, difference: float, low: float, high: float, p: float) -> None:
    assert found[:4] == pytest.approx((difference, low, high, p), rel=1e-10)


def test_welch_is_scipys() -> None:
    """scipy 1.17.1: stats.ttest_ind(TVO, GRPO, equal_var=False) and its confidence_interval()."""
    found = welch_difference(TVO, GRPO)
    close(found, 0.044, -0.04130529354252316, 0.12930529354252324, 0.2664740205032093)
    assert (found.n, found.method) == (5, "Welch t")
    assert found.degrees == pytest.approx(7.6691117507533635)


def test_welch_by_hand_with_unequal_arms() -> None:
    """Variances 1 of 3 and 4 of 2: s² = 1/3 + 2, ν = s⁴/(1/18 + 4) = 1.342466."""
    found = welch_difference([1.0, 2.0, 3.0], [0.0, 8.0**0.5])
    assert found.difference == pytest.approx(2.0 - 2.0**0.5)
    assert found.degrees == pytest.approx((7 / 3) ** 2 / (1 / 18 + 4))
    assert found.n == 2


def test_paired_is_scipys() -> None:
    """scipy 1.17.1: stats.ttest_rel(TVO, GRPO), confidence_interval(0.9)."""
    found = paired_difference(TVO, GRPO, 0.9)
    close(found, 0.044, 0.006707911825246313, 0.0812920881747537, 0.06568410650302774)
    assert (found.n, found.degrees, found.method) == (5, 4, "paired t")


def test_pairing_removes_what_the_seeds_share() -> None:
    shift = [10.0, -20.0, 5.0, 0.0, 40.0]
    first, second = ([x + s for x, s in zip(arm, shift)] for arm in (TVO, GRPO))
    assert paired_difference(first, second).p == pytest.approx(paired_difference(TVO, GRPO).p, rel=1e-6)
    assert welch_difference(first, second).p > 0.9


@pytest.mark.parametrize("test", [welch_difference, paired_difference])
def test_the_sign_is_a_minus_b(test: Callable[..., Difference]) -> None:
    one, other = test(TVO, GRPO), test(GRPO, TVO)
    assert one.difference > 0 and one.low == pytest.approx(-other.high) and one.p == pytest.approx(other.p)


@pytest.mark.parametrize(
    "found", [welch_difference([1.0], [2.0, 3.0]), paired_difference([1.0], [2.5]), welch_difference([1.0, 2.0], [2.5])]
)
def test_one_seed_has_a_difference_and_nothing_more(found: Difference) -> None:
    assert math.isfinite(found.difference) and found.n == 1
    assert all(map(math.isnan, (found.low, found.high, found.p)))


@pytest.mark.parametrize("test", [welch_difference, paired_difference])
def test_a_nan_is_not_dropped(test: Callable[..., Difference]) -> None:
    found = test([0.5, NAN, 0.7], [0.1, 0.2, 0.3])
    assert all(map(math.isnan, (found.difference, found.low, found.high, found.p))) and found.n == 3


@pytest.mark.parametrize(
    ("found", "p"),
    [
        (paired_difference([0.5, 0.6], [0.4, 0.5]), 1 / 2),  # ++ −−, +− −+: one of two, mirrors counted once
        (paired_difference([0.3, 0.1 + 0.2, 0.3], [0.2, 0.2, 0.2]), 1 / 4),  # equal but for rounding
        (welch_difference([1.0] * 3, [0.0] * 3), 1 / 10),  # C(6, 3)/2
        (welch_difference([1.0] * 5, [0.0] * 5), 1 / 126),
        (welch_difference([1.0] * 2, [0.0] * 3), 1 / 10),  # C(5, 2): no mirror
        (welch_difference([0.9] * 3, [0.9] * 3), 1.0),
        (paired_difference([0.9, 0.8], [0.9, 0.8]), 1.0),
        (welch_difference([0.0] * 3, [0.0] * 3), 1.0),
    ],
)
def test_equal_seeds_are_not_certainty(found: Difference, p: float) -> None:
    assert found.p == pytest.approx(p) and found.method == "exact permutation"
    assert math.isnan(found.low) and math.isnan(found.high)


def test_one_arm_without_spread_is_still_welch() -> None:
    """s² = 1/3 of the second alone, ν = 2: t = 3/√(1/3) = 5.196."""
    found = welch_difference([5.0, 5.0, 5.0, 5.0], [1.0, 2.0, 3.0])
    assert found.degrees == pytest.approx(2.0)
    assert found.low == pytest.approx(3.0 - 4.302652729749 / math.sqrt(3), rel=1e-10)


@pytest.mark.parametrize(
    "call",
    [
        lambda: paired_difference([1.0], [1.0, 2.0]),
        lambda: welch_difference([], [1.0]),
        lambda: welch_difference([1.0], [1.0], 1.0),
    ],
)
def test_what_cannot_be_compared(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


def test_holm() -> None:
    """statsmodels 0.15.0: multipletests([.01, .04, .03, .005, .2], method='holm')."""
    assert holm_adjusted([0.01, 0.04, 0.03, 0.005, 0.2]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.2])
    assert holm_adjusted([0.7, 0.6]) == [1.0, 1.0]
    assert holm_adjusted([]) == []


def test_holm_does_not_count_a_comparison_that_was_not_made() -> None:
    found = holm_adjusted([0.02, NAN, 0.03])
    assert found[0] == pytest.approx(0.04) and math.isnan(found[1]) and found[2] == pytest.approx(0.04)
