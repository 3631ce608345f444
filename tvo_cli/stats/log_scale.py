"""Statistics on a log scale, for positive quantities such as gradient variances: ratios of means, log fluctuation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.t_tests import paired_difference, welch_difference


def ratio_of_means_interval(a: ArrayLike, b: ArrayLike, paired: bool, confidence: float = 0.95) -> ConfidenceInterval:
    """exp(mean log a − mean log b) and exp of its t interval (paired) or Welch's: the ratio of geometric means.

    For gradient variances at matched steps, one value a seed. They scatter by factors, so logs are nearer normal
    than the values; where both arms scatter by the same factors it is also the ratio of the means. A value that
    is not above 0, or not finite: all nan. Otherwise as `paired` and `welch`; the ratio 1 is "no difference".
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if not (((first > 0) & np.isfinite(first)).all() and ((second > 0) & np.isfinite(second)).all()):
        return ConfidenceInterval(math.nan, math.nan, math.nan, min(len(first), len(second)))
    found = (paired_difference if paired else welch_difference)(np.log(first), np.log(second), confidence)
    with np.errstate(over="ignore"):  # two seeds that differ by e^60 have an upper end of inf
        mean, low, high = np.exp(found[:3]).tolist()
    return ConfidenceInterval(mean, low, high, found.n)


def series_log_fluctuation(series: ArrayLike) -> float:
    """φ = sd(log x_{t+1} − log x_t)/√2 over neighbouring steps: by what factor, e^φ, a reading jumps.

    White noise of standard deviation σ about any straight line in log x gives φ = σ; noise that lasts gives less
    (σ√(1−ρ) for autocorrelation ρ). Successive differences remove a slow trend without a window to choose (von
    Neumann 1941). In nats. Pairs with a nan or a value not above 0 are left out; below two pairs: nan.
    The reading `gradient/log_fluctuation` is another number: the mean |jump| of the gradient norm from update to
    update, trend included (1.13 φ for normal white noise); this one is of any series that was logged.
    """
    values = np.asarray(series, dtype=np.float64)
    logs = np.log(np.where((values > 0) & np.isfinite(values), values, np.nan))
    jumps = np.diff(logs)
    jumps = jumps[np.isfinite(jumps)]
    return float(jumps.std(ddof=1)) / math.sqrt(2.0) if jumps.size > 1 else math.nan
