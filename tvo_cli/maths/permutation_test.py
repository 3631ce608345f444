"""The two-sample permutation test of a rise of the mean, as a z: exact at the extremes, by saddlepoint between them.

If the values of both samples are exchangeable, every choice of n of the N values for the first sample is equally
likely. Nothing else is assumed: neither normal values, nor variances, nor that a mean is far from its bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
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
        first: [n] values, float64.
        second: [m] values; the unit cancels.

    Returns:
        0 where all N values are equal, which tells nothing.
    """
    values = torch.cat([first, second]).double()
    spread = float(values.std(correction=0))
    if spread <= TINY * (1.0 + float(values.abs().max())):
        return 0.0
    values = (values - values.mean()) / spread
    total, n = float(values[: len(first)].sum()), len(first)
    if total < 0.0:
        return -_upper_tail(-values, -total, n)
    return _upper_tail(values, total, n)


def largest_permutation_z(n: int, m: int) -> float:
    """The largest z that n against m values can show: that of 1/C(n + m, n)."""
    return _normal_quantile(-_log_choices(n + m, n))


def score_z(first: Tensor, second: Tensor) -> float:
    """(mean of `first` − mean of `second`) over its standard error in a random choice: the score test; 0 if all equal.

    The error is √(σ²(1/n + 1/m)·N/(N − 1)), σ² the variance of all N values: the same under the null hypothesis
    whether a sample happens to have no spread or not.
    """
    values = torch.cat([first, second]).double()
    count, error = len(values), float(values.var(correction=0)) * (1 / len(first) + 1 / len(second))
    gap = float(first.double().mean() - second.double().mean())
    return gap / math.sqrt(error * count / (count - 1)) if error > TINY**2 else 0.0


class _Saddlepoint(NamedTuple):
    slope: float  # ŝ
    deviance: float  # w²
    determinant: float  # |K''(ŝ, t̂)|


def _upper_tail(values: Tensor, total: float, n: int) -> float:
    """z of P(Σ ≥ total), total ≥ 0, of standardised values."""
    count = len(values)
    normal = total / math.sqrt(n * (count - n) / (count - 1))
    if normal < CLOSE:
        return normal
    largest = values.sort(descending=True).values
    if total >= float(largest[:n].sum()) - TINY * count:
        return _z_of_extreme(largest, n)
    span = _lattice_span(largest)
    found = _solve_saddlepoint(values, total - span / 2.0, n)
    w = math.sqrt(max(found.deviance, TINY))
    half = found.slope * span / 2.0
    step = found.slope if half < TINY else 2.0 / span * math.sinh(min(half, LARGEST))
    u = step * math.sqrt(found.determinant / (n * (count - n) / count))
    z = w + math.log(u / w) / w if u > 0.0 else w
    return min(z, largest_permutation_z(n, count - n))


def _z_of_extreme(largest: Tensor, n: int) -> float:
    """z where no choice has a larger sum: as many choices have this one as there are ways among equal values."""
    edge = float(largest[n - 1])
    equal = (largest - edge).abs() <= TINY
    needed = int(equal[:n].sum())
    return _normal_quantile(_log_choices(int(equal.sum()), needed) - _log_choices(len(largest), n))


def _lattice_span(sorted_values: Tensor) -> float:
    """The step of the lattice that all values lie on; 0 where there is none that is worth a correction."""
    gaps = -sorted_values.diff()
    gaps = gaps[gaps > TINY]
    step = float(gaps.min())
    multiples = gaps / step
    return step if bool(((multiples - multiples.round()).abs() < 1e-6).all()) else 0.0


def _solve_saddlepoint(values: Tensor, total: float, n: int) -> _Saddlepoint:
    """Newton's method on the convex K(s, t) − s·total − t·n, K = Σ log(1 − θ + θe^{s·x + t}), damped by halving."""
    share = n / len(values)
    offset = math.log(share / (1.0 - share))
    aim = torch.tensor([total, float(n)], dtype=torch.float64)
    design = torch.stack([values, torch.ones_like(values)], 1)
    point = torch.zeros(2, dtype=torch.float64)

    def height(at: Tensor) -> float:
        tilted = torch.nn.functional.softplus(design @ at + offset).sum() - len(values) * math.log1p(math.exp(offset))
        return float(tilted - aim @ at)

    now = height(point)
    for _ in range(NEWTON_STEPS):
        chance = torch.sigmoid(design @ point + offset)
        curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design
        slope = design.T @ chance - aim
        if float(slope.abs().max()) < TINY * len(values):
            break
        direction = torch.linalg.lstsq(curvature, slope[:, None]).solution[:, 0]
        size = 1.0
        while height(point - size * direction) > now and size > TINY:
            size /= 2.0
        point = point - size * direction
        now = height(point)
    chance = torch.sigmoid(design @ point + offset)
    curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design
    return _Saddlepoint(float(point[0]), -2.0 * now, max(float(torch.linalg.det(curvature)), 0.0))


def _log_choices(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def _normal_quantile(log_tail: float) -> float:
    """z whose upper normal tail is e^{log_tail}."""
    if log_tail < -680.0:
        return LARGEST
    return min(-float(torch.special.ndtri(torch.tensor(math.exp(log_tail), dtype=torch.float64))), LARGEST)
