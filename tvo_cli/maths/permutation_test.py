"""The two-sample permutation test of a rise of the mean, as a z: exact at the extremes, by saddlepoint between them.

If the values of both samples are exchangeable, every choice of n of the N values for the first sample is equally
likely. Nothing else is assumed: neither normal values, nor variances, nor that a mean is far from its bounds.

Sums are rounded once (math.fsum): a matrix product's last bits depend on where its memory lies, and a resumed run must
read what one that was never stopped reads.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

from torch import Tensor

NEWTON_STEPS = 60
CLOSE = 1.0  # standard errors within which the normal approximation is used: the saddlepoint is singular at 0
LARGEST = 37.0  # beyond it a normal tail is no double
TINY = 1e-9


def permutation_z(first: Tensor, second: Tensor) -> float:
    """z with P(N(0, 1) ≥ z) = P(a random choice of n of the N values has a mean ≥ that of `first`).

    Above 1 by the double saddlepoint of Σ Z_i x_i given Σ Z_i = n, Z_i ~ Bernoulli(n/N), in the form
    r* = w + log(u/w)/w (Skovgaard 1987, Advances in Applied Probability 19; Barndorff-Nielsen 1986, Biometrika 73),
    with Skovgaard's second continuity correction where the values lie on a lattice, as counts of right answers do.
    w is the signed root of the likelihood ratio of a logistic regression of the sample on the value.
    Where no choice has a larger mean the count of choices is exact.

    Args:
        first: [n] values.
        second: [m] values; the unit cancels.

    Returns:
        0 where all N values are equal, which tells nothing.
    """
    pool = [*_sample_as_floats(first), *_sample_as_floats(second)]
    mean, variance = _mean_and_variance(pool)
    if math.sqrt(variance) <= TINY * (1.0 + max(map(abs, pool))):
        return 0.0
    values = [(value - mean) / math.sqrt(variance) for value in pool]
    total, n = math.fsum(values[: len(first)]), len(first)
    if total < 0.0:
        return -_upper_tail([-value for value in values], -total, n)
    return _upper_tail(values, total, n)


def largest_permutation_z(n: int, m: int) -> float:
    """The largest z that n against m values can show: that of 1/C(n + m, n)."""
    return _normal_quantile(-_log_choices(n + m, n))


def score_z(first: Tensor, second: Tensor) -> float:
    """(mean of `first` − mean of `second`) over its standard error in a random choice: the score test; 0 if all equal.

    The error is √(σ²(1/n + 1/m)·N/(N − 1)), σ² the variance of all N values: the same under the null hypothesis
    whether a sample happens to have no spread or not.
    """
    some, others = _sample_as_floats(first), _sample_as_floats(second)
    count = len(some) + len(others)
    error = _mean_and_variance([*some, *others])[1] * (1 / len(some) + 1 / len(others))
    gap = math.fsum(some) / len(some) - math.fsum(others) / len(others)
    return gap / math.sqrt(error * count / (count - 1)) if error > TINY**2 else 0.0


def _sample_as_floats(values: Tensor) -> list[float]:
    found: list[float] = values.double().tolist()
    return found


def _mean_and_variance(values: Sequence[float]) -> tuple[float, float]:
    """Mean and population variance of the pooled values, of which the permutations' z is made."""
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((value - mean) ** 2 for value in values) / len(values)


def _upper_tail(values: Sequence[float], total: float, n: int) -> float:
    """z of P(Σ ≥ total), total ≥ 0, of standardised values."""
    count = len(values)
    normal = total / math.sqrt(n * (count - n) / (count - 1))
    if normal < CLOSE:
        return normal
    largest = sorted(values, reverse=True)
    if total >= math.fsum(largest[:n]) - TINY * count:
        return _z_of_extreme(largest, n)
    span = _lattice_span(largest)
    found = _solve_saddlepoint(Counter(values), total - span / 2.0, n)
    w = math.sqrt(max(found.deviance, TINY))
    half = found.slope * span / 2.0
    step = found.slope if half < TINY else 2.0 / span * math.sinh(min(half, LARGEST))
    u = step * math.sqrt(found.determinant / (n * (count - n) / count))
    z = w + math.log(u / w) / w if u > 0.0 else w
    return min(z, largest_permutation_z(n, count - n))


def _z_of_extreme(largest: Sequence[float], n: int) -> float:
    """z where no choice has a larger sum: as many choices have this one as there are ways among equal values."""
    equal = [abs(value - largest[n - 1]) <= TINY for value in largest]
    return _normal_quantile(_log_choices(sum(equal), sum(equal[:n])) - _log_choices(len(largest), n))


def _lattice_span(largest: Sequence[float]) -> float:
    """The step of the lattice that all values lie on; 0 where there is none that is worth a correction."""
    gaps = [one - other for one, other in pairwise(largest) if one - other > TINY]
    step = min(gaps)
    return step if all(abs(gap / step - round(gap / step)) < 1e-6 for gap in gaps) else 0.0


class _Saddlepoint(NamedTuple):
    slope: float  # ŝ
    deviance: float  # w²
    determinant: float  # |K''(ŝ, t̂)|


class _SaddlepointSlopes(NamedTuple):
    """K − s·total − t·n with its derivatives: K = Σ log(1 − θ + θe^{s·x + t})."""

    height: float
    by_s: float
    by_t: float
    ss: float
    st: float
    tt: float

    @property
    def determinant(self) -> float:
        return max(self.ss * self.tt - self.st**2, 0.0)


def _slopes(counts: Mapping[float, int], total: float, n: int, s: float, t: float) -> _SaddlepointSlopes:
    share = n / sum(counts.values())
    offset = math.log(share / (1.0 - share))
    shifted = [(x, count, s * x + t + offset) for x, count in counts.items()]
    tilted = [(x, count, 1.0 / (1.0 + math.exp(-min(max(a, -700.0), 700.0)))) for x, count, a in shifted]
    heights = (count * (max(a, 0.0) + math.log1p(math.exp(-abs(a))) + math.log1p(-share)) for _, count, a in shifted)
    spreads = [(x, count * p * (1.0 - p)) for x, count, p in tilted]
    return _SaddlepointSlopes(
        math.fsum(heights) - s * total - t * n,
        math.fsum(count * p * x for x, count, p in tilted) - total,
        math.fsum(count * p for _, count, p in tilted) - n,
        math.fsum(v * x * x for x, v in spreads),
        math.fsum(v * x for x, v in spreads),
        math.fsum(v for _, v in spreads),
    )


def _solve_saddlepoint(counts: Mapping[float, int], total: float, n: int) -> _Saddlepoint:
    """Newton's method on the convex height, damped by halving."""
    s = t = 0.0
    now = _slopes(counts, total, n, s, t)
    for _ in range(NEWTON_STEPS):
        if max(abs(now.by_s), abs(now.by_t)) < TINY * n or now.determinant == 0.0:
            break
        towards_s = (now.tt * now.by_s - now.st * now.by_t) / now.determinant
        towards_t = (now.ss * now.by_t - now.st * now.by_s) / now.determinant
        size = 1.0
        found = _slopes(counts, total, n, s - towards_s, t - towards_t)
        while found.height > now.height and size > TINY:
            size /= 2.0
            found = _slopes(counts, total, n, s - size * towards_s, t - size * towards_t)
        s, t, now = s - size * towards_s, t - size * towards_t, found
    return _Saddlepoint(s, -2.0 * now.height, now.determinant)


def _log_choices(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def _normal_quantile(log_tail: float) -> float:
    """z whose upper normal tail is e^{log_tail}."""
    return LARGEST if log_tail < -680.0 else min(-NormalDist().inv_cdf(math.exp(log_tail)), LARGEST)
