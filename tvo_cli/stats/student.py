"""Student's t distribution by the incomplete beta function, without scipy."""

from __future__ import annotations

import math

ITERATIONS = 400
TINY = 1e-300
PRECISION = 1e-15


def quantile(probability: float, degrees: float) -> float:
    """x with P(T ≤ x) = probability for Student's T with `degrees` of freedom; error below 1e-10·(1 + |x|).

    By bisection of `cumulative`, which is monotone: slower than a series, but exact for every degree.
    """
    if not 0.0 < probability < 1.0 or degrees <= 0:
        raise ValueError(f"no quantile of {probability} with {degrees} degrees of freedom")
    if probability < 0.5:
        return -quantile(1.0 - probability, degrees)
    low, high = 0.0, 1.0
    while cumulative(high, degrees) < probability:
        low, high = high, 2.0 * high
    while high - low > 1e-12 * (1.0 + high):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cumulative(middle, degrees) < probability else (low, middle)
    return 0.5 * (low + high)


def cumulative(x: float, degrees: float) -> float:
    """P(T ≤ x) = 1 − ½ I_z(ν/2, ½) with z = ν/(ν + x²) for x ≥ 0, and by symmetry below."""
    tail = 0.5 * incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + x * x))
    return 1.0 - tail if x >= 0 else tail


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) / (a * _continued_fraction(a, b, x))


def _continued_fraction(a: float, b: float, x: float) -> float:
    """1 + d₁/(1 + d₂/(1 + …)) by Lentz's method; the inverse of the fraction of DLMF 8.17.22."""
    value, c, d = 1.0, 1.0, 0.0
    for i in range(1, ITERATIONS):
        m = i // 2
        if i % 2:
            step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            step = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / ((1.0 + step * d) or TINY)
        c = (1.0 + step / c) or TINY
        value *= c * d
        if abs(c * d - 1.0) < PRECISION:
            break
    return value
