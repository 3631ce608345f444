"""Power of the t test: how many seeds it would take to separate a difference of the size that was seen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tvo_cli.stats.confidence_interval import t_quantile

CAP = 10_000  # seeds; an answer of CAP means "CAP or more": the difference is noise for every practical purpose


def seeds_needed(a: ArrayLike, b: ArrayLike, paired: bool, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """The least n with P(|T'| > t_{ν, (1+confidence)/2}) ≥ power, T' noncentral t with δ√n/σ; at most CAP.

    δ is the observed difference of the means. Paired: σ = sd(a − b), ν = n−1, n pairs. Else σ² = s_a² + s_b²,
    ν = (n−1)(s_a² + s_b²)²/(s_a⁴ + s_b⁴), n seeds in each arm. It takes the observed effect for the true one: from
    five seeds it is a guess within a factor of several, and says so in docs/results/intervals.md. None: fewer
    than two seeds, a difference of 0, no spread, nan. Unequal arms when paired: ValueError. Cohen 1988, ch. 2.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if paired and len(first) != len(second):
        raise ValueError(f"{len(first)} values cannot be paired with {len(second)}")
    if min(len(first), len(second)) < 2:
        return None
    effect = abs(float(first.mean() - second.mean()))
    variances = [float((first - second).var(ddof=1))] if paired else [float(x.var(ddof=1)) for x in (first, second)]
    spread = math.sqrt(sum(variances))
    scale = float(max(np.abs(first).max(), np.abs(second).max()))
    if not effect > 1e-12 * scale or not spread > 1e-12 * scale:
        return None
    factor = sum(variances) ** 2 / sum(v * v for v in variances)  # ν = (n−1)·factor; 1 when paired
    return _least_seeds(effect / spread, factor, confidence, power)


def _least_seeds(effect: float, factor: float, confidence: float, power: float) -> int:
    """By bisection: the power grows with n."""
    low, high = 1, CAP
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if achieved_power(effect, factor, middle, confidence) >= power else (middle, high)
    return high


def achieved_power(effect: float, factor: float, n: int, confidence: float) -> float:
    """The power of the two-sided t test with n seeds at effect = δ/σ, with (n−1)·factor degrees of freedom."""
    from scipy.special import nctdtr

    degrees, shift = (n - 1) * factor, effect * math.sqrt(n)
    limit = t_quantile(0.5 + confidence / 2.0, degrees)
    if shift > max(30.0, 3.0 * limit):
        return 1.0  # within 0.003; scipy's noncentral t breaks down above 36
    wrong_side = float(nctdtr(degrees, shift, -limit)) if shift < 5.0 else 0.0  # below 1e-8, and it too breaks down
    return 1.0 - float(nctdtr(degrees, shift, limit)) + wrong_side
