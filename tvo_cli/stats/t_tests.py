"""t tests of two arms over seeds, paired and Welch's, and Holm's correction for several comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tvo_cli.stats.confidence_interval import t_quantile

NOISE = 1e-12  # a spread below this share of the largest value is rounding, not spread


class Difference(NamedTuple):
    """a − b with its confidence interval and the p-value of "no difference"."""

    difference: float
    low: float
    high: float
    p: float  # two-sided
    n: int  # pairs, or the seeds of the smaller arm
    degrees: float  # of freedom; nan where the method has none
    method: str  # "paired t", "Welch t", "exact permutation", "clustered bootstrap"


def welch_difference(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Difference:
    """ā − b̄ ± t_ν · s, s² = s_a²/n_a + s_b²/n_b, ν = s⁴ / (s_a⁴/(n_a²(n_a−1)) + s_b⁴/(n_b²(n_b−1))).

    For arms whose seeds have nothing in common; the variances may differ (Welch 1947). Units: those of the values.
    One seed in an arm, or a nan among the values: the ends and p are nan. No spread in either arm: see
    `permutation_difference`.
    """
    first, second = _checked_sample(a, confidence), _checked_sample(b, confidence)
    difference, n = float(first.mean() - second.mean()), min(len(first), len(second))
    if n < 2 or math.isnan(difference):
        return Difference(difference, math.nan, math.nan, math.nan, n, math.nan, "Welch t")
    if has_no_spread(first) and has_no_spread(second):
        arrangements = math.comb(len(first) + len(second), n)
        return permutation_difference(difference, arrangements if len(first) != len(second) else arrangements // 2, n)
    parts = [float(x.var(ddof=1)) / len(x) for x in (first, second)]
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (len(first) - 1) + parts[1] ** 2 / (len(second) - 1))
    return _difference_by_t(difference, math.sqrt(sum(parts)), degrees, n, confidence, "Welch t")


def paired_difference(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Difference:
    """d̄ ± t_{n−1} · sd(d)/√n over d_i = a_i − b_i: element i of both is the same seed, or the same problem.

    What the pairs share cancels (Student 1908). One pair, or a nan: the ends and p are nan. All d_i equal: see
    `permutation_difference`. Arms of different lengths: ValueError.
    """
    first, second = _checked_sample(a, confidence), _checked_sample(b, confidence)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    differences, n = first - second, len(first)
    difference = float(differences.mean())
    if n < 2 or math.isnan(difference):
        return Difference(difference, math.nan, math.nan, math.nan, n, math.nan, "paired t")
    scale = max(np.abs(first).max(), np.abs(second).max())
    if np.ptp(differences) <= NOISE * scale:
        return permutation_difference(difference if abs(difference) > NOISE * scale else 0.0, 2 ** (n - 1), n)
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    return _difference_by_t(difference, error, n - 1, n, confidence, "paired t")


def permutation_difference(difference: float, arrangements: int, n: int) -> Difference:
    """When no arm has any spread t does not exist: p = 1/arrangements by exchanging the labels, ends nan.

    Equal values to the last digit come from a coarse score (k of 200 problems right), and t would read them as
    certainty. Among the equally likely ways to label the values (or to sign the pairs), mirror images counted
    once, one is as extreme as what was seen; at a difference of 0 all are, and p = 1. Fisher 1935.
    """
    p = 1.0 / arrangements if difference else 1.0
    return Difference(difference, math.nan, math.nan, p, n, math.nan, "exact permutation")


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p: p̃_(i) = max_{j≤i} min(1, (m−j+1) p_(j)) over the m sorted values, in the given order.

    Reject where p̃ ≤ α: the chance of one false rejection among all comparisons stays below α (Holm 1979). nan (a
    comparison that could not be made) stays nan and does not count in m.
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _difference_by_t(
    difference: float, error: float, degrees: float, n: int, confidence: float, method: str
) -> Difference:
    from scipy.special import stdtr

    reach = t_quantile(0.5 + confidence / 2.0, degrees) * error
    p = 2.0 * float(stdtr(degrees, -abs(difference) / error))
    return Difference(difference, difference - reach, difference + reach, p, n, float(degrees), method)


def _checked_sample(values: ArrayLike, confidence: float) -> NDArray[np.float64]:
    """An arm's values for a t test, float64 [n]; ValueError for an empty one, or a confidence outside (0, 1)."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not sample.size:
        raise ValueError("a comparison needs at least one value in each arm")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    return sample


def has_no_spread(sample: ArrayLike) -> bool:
    """Whether all values are equal but for rounding, so that no t test exists."""
    values = np.asarray(sample, dtype=np.float64)
    return bool(np.ptp(values) <= NOISE * np.abs(values).max())
