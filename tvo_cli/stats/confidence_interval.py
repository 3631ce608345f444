"""Confidence intervals: of a mean, of clustered samples, of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple


class ConfidenceInterval(NamedTuple):
    """A mean with the ends of its confidence interval, over n independent units."""

    mean: float
    low: float
    high: float
    n: int


def t_quantile(probability: float, degrees: float) -> float:
    """x with P(T ≤ x) = probability for Student's T with `degrees` of freedom (scipy's)."""
    from scipy.special import stdtrit  # here, not above: training and grading import this room and start fast

    if not 0.0 < probability < 1.0 or degrees <= 0:
        raise ValueError(f"no quantile of {probability} with {degrees} degrees of freedom")
    return float(stdtrit(degrees, probability))


def standard_error(values: Sequence[float]) -> float:
    """sd/√n with n−1 in the standard deviation; nan below two values."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> ConfidenceInterval:
    """The t interval of a mean, mean ± t_{n−1} · sd/√n: for seeds, where a percentile bootstrap is far too narrow.

    One value has no interval: its ends are nan.
    """
    _check_interval_arguments(len(values), confidence)
    mean, error = fmean(values), standard_error(values)
    reach = t_quantile(0.5 + confidence / 2.0, len(values) - 1) * error if len(values) > 1 else math.nan
    return ConfidenceInterval(mean, mean - reach, mean + reach, len(values))


PSEUDO_EVENTS = 2.0  # problems' worth of "they are as spread as can be": docs/results/intervals.md has the coverage


def clustered_interval(rows: Sequence[Sequence[float]], confidence: float = 0.95) -> ConfidenceInterval:
    """The mean over problems of the mean over their samples, in [0, 1]; problems are the independent units.

    rows: one sequence of scores in [0, 1] per problem. The generations of a problem are alike, so only problems count
    (Miller 2024, arXiv:2411.00640). Every problem's mean 0 or 1, as with one sample each: Wilson's interval. Else
    Wilson's with n/d problems for n and t_{n−1} for z, as surveys do it (Kott and Carr 1997; Franco et al. 2019,
    JSSAM 7:334), with d the design effect, drawn towards its greatest value 1 by PSEUDO_EVENTS = c:

        p = mean of the problems' means x_i      d̂ = (1/n) Σ (x_i − p)² / (p (1 − p))
        e = n · min(p, 1 − p)                    d = (e·d̂ + c) / (e + c)

    because few problems that are ever solved (or failed) cannot tell how unlike problems are. One problem whose mean
    is neither 0 nor 1 has no interval: its ends are nan.
    """
    means = [fmean(row) for row in rows]
    n = len(means)
    _check_interval_arguments(n, confidence)
    if set(means) <= {0.0, 1.0}:
        return wilson_interval(round(sum(means)), n, confidence)
    mean = fmean(means)
    if n < 2:
        return ConfidenceInterval(mean, math.nan, math.nan, n)
    widest = mean * (1.0 - mean)
    events = n * min(mean, 1.0 - mean)
    effect = min(1.0, sum((x - mean) ** 2 for x in means) / n / widest) if widest > 0.0 else 1.0
    design = (events * effect + PSEUDO_EVENTS) / (events + PSEUDO_EVENTS)
    low, high = _wilson_ends(mean, n / design, t_quantile(0.5 + confidence / 2.0, n - 1))
    return ConfidenceInterval(mean, low, high, n)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> ConfidenceInterval:
    """Wilson's score interval of a share (Wilson 1927); of use at 0 and at n successes too."""
    _check_interval_arguments(n, confidence)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    share = successes / n
    low, high = _wilson_ends(share, n, NormalDist().inv_cdf(0.5 + confidence / 2.0))
    return ConfidenceInterval(share, 0.0 if successes == 0 else low, 1.0 if successes == n else high, n)


def _wilson_ends(share: float, n: float, z: float) -> tuple[float, float]:
    """The two p at which |share − p| = z √(p (1 − p)/n)."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _check_interval_arguments(n: int, confidence: float) -> None:
    if n < 1:
        raise ValueError("an interval needs at least one value")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")


def cut_to_shares(low: float, high: float) -> tuple[float, float]:
    """Cut an interval's ends at 0 and 1, beyond which no share lies; NaN stays."""
    return (low if math.isnan(low) else max(low, 0.0)), (high if math.isnan(high) else min(high, 1.0))
