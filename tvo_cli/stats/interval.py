"""Confidence intervals: of a mean, of clustered samples, of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean with the ends of its confidence interval, over n independent units."""

    mean: float
    low: float
    high: float
    n: int


def quantile(probability: float, degrees: float) -> float:
    """x with P(T ≤ x) = probability for Student's T with `degrees` of freedom (scipy's)."""
    from scipy.special import stdtrit  # here, not above: training and grading import this room and start fast

    if not 0.0 < probability < 1.0 or degrees <= 0:
        raise ValueError(f"no quantile of {probability} with {degrees} degrees of freedom")
    return float(stdtrit(degrees, probability))


def standard_error(values: Sequence[float]) -> float:
    """sd/√n with n−1 in the standard deviation; nan below two values."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """mean ± t_{n−1} · sd/√n: what to use over seeds, where a percentile bootstrap is far too narrow.

    One value has no interval: its ends are nan.
    """
    _check(len(values), confidence)
    mean, error = fmean(values), standard_error(values)
    reach = quantile(0.5 + confidence / 2.0, len(values) - 1) * error if len(values) > 1 else math.nan
    return Interval(mean, mean - reach, mean + reach, len(values))


def clustered_interval(rows: Sequence[Sequence[float]], confidence: float = 0.95) -> Interval:
    """The mean over problems of the mean over their samples, in [0, 1]; problems are the independent units.

    The generations of a problem are alike, so only problems count (Miller 2024, arXiv:2411.00640).
    rows: one sequence of scores in [0, 1] per problem. The t interval of the problems' means, cut at 0 and 1;
    where all scores are 0, or all 1, the spread says nothing: then Wilson's interval over the problems.
    """
    means = [fmean(row) for row in rows]
    _check(len(means), confidence)
    if set(means) in ({0.0}, {1.0}):
        return wilson(round(sum(means)), len(means), confidence)
    mean, low, high, n = mean_interval(means, confidence)
    return Interval(mean, _clip(low), _clip(high), n)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); of use at 0 and at n successes too."""
    _check(n, confidence)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    z, share = NormalDist().inv_cdf(0.5 + confidence / 2.0), successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - reach
    return Interval(share, low, 1.0 if successes == n else centre + reach, n)


def _clip(value: float) -> float:
    return value if math.isnan(value) else min(1.0, max(0.0, value))


def _check(n: int, confidence: float) -> None:
    if n < 1:
        raise ValueError("an interval needs at least one value")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
