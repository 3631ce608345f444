"""Time to collapse, when some runs end without one."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tvo_cli.stats.confidence_interval import ConfidenceInterval, t_quantile, wilson_interval


class SurvivalCurve(NamedTuple):
    """A right-continuous step function: from times[i] on, until times[i+1], survival[i] of the runs stand."""

    times: tuple[float, ...]  # 0, then every distinct time of an event or a censoring
    survival: tuple[float, ...]
    low: tuple[float, ...]  # pointwise
    high: tuple[float, ...]
    at_risk: tuple[int, ...]  # runs still standing and watched just before each time


def kaplan_meier(times: ArrayLike, observed: ArrayLike, confidence: float = 0.95) -> SurvivalCurve:
    """Ŝ(t) = Π_{t_i ≤ t} (1 − d_i/n_i), d_i events among n_i at risk; Greenwood's log-log interval.

    times: when each run collapsed, or until when it was watched (steps, hours); observed: whether it collapsed.
    A run censored at the time of an event is still at risk there. Kaplan and Meier 1958. The interval:
    Ŝ^{exp(±z·σ)}, σ² = Σ d_i/(n_i(n_i − d_i)) / (log Ŝ)² (Kalbfleisch and Prentice 2002, section 1.4).
    Where that does not exist: at Ŝ = 1 Wilson's for all of those at risk, at Ŝ = 0 from 0 to the end before it.
    No runs, a negative or nan time, lengths that differ: ValueError.
    """
    when, happened = np.asarray(times, dtype=np.float64), np.asarray(observed, dtype=bool)
    if not when.size or when.shape != happened.shape or not (when >= 0).all():
        raise ValueError("survival needs a time of 0 or more for every run, and whether it was an event")
    points, share, greenwood = np.unique(np.append(when, 0.0)), 1.0, 0.0
    rows: list[tuple[float, float, float, int]] = []
    for time in points.tolist():
        at_risk, events = int((when >= time).sum()), int(happened[when == time].sum())
        share *= 1.0 - events / at_risk
        greenwood += events / (at_risk * (at_risk - events)) if events < at_risk else math.inf
        before = rows[-1][2] if rows else 1.0
        rows.append((share, *_greenwood_log_log_ends(share, greenwood, at_risk, before, confidence), at_risk))
    survival, low, high, risk = zip(*rows, strict=True)
    return SurvivalCurve(tuple(points.tolist()), survival, low, high, risk)


def median_survival_time(survival: SurvivalCurve) -> float | None:
    """The first time at which at most half of the runs stand; None when more than half stand at the end."""
    return next((t for t, share in zip(survival.times, survival.survival) if share <= 0.5 + 1e-12), None)


def restricted_mean_survival(survival: SurvivalCurve, horizon: float, confidence: float = 0.95) -> ConfidenceInterval:
    """μ(τ) = ∫₀^τ Ŝ(t) dt: the mean time to collapse, counting τ for the runs that stand then. In units of time.

    σ² = n/(n−1) Σ_{t_i ≤ τ} (∫_{t_i}^τ Ŝ)² d_i/(n_i(n_i − d_i)), the interval μ ± t_{n−1} σ cut to [0, τ] (Klein and
    Moeschberger 2003, section 4.5; n/(n−1) and t, not z, because seeds are few: with no run lost before τ it is the
    t interval of min(T, τ)). Without an event before τ the ends are nan; where the runs were not watched
    until τ and some stand, μ is not known: nan. A horizon that is not above 0: ValueError.
    """
    n = survival.at_risk[0]
    if horizon <= 0:
        raise ValueError(f"the horizon {horizon} is not above 0")
    if survival.times[-1] < horizon and survival.survival[-1] > 0:
        return ConfidenceInterval(math.nan, math.nan, math.nan, n)
    ends = [min(t, horizon) for t in (*survival.times, max(horizon, survival.times[-1]))]
    pieces = [share * (end - start) for share, (start, end) in zip(survival.survival, pairwise(ends))]
    rest = [sum(pieces[i:]) for i in range(len(pieces))]
    variance = sum(
        rest[i] ** 2 * (1.0 - now / before) / (survival.at_risk[i] * (now / before))
        for i, (before, now) in enumerate(pairwise((1.0, *survival.survival)))
        if now > 0  # after the last collapse nothing is left to integrate
    )
    if n < 2 or not variance:
        return ConfidenceInterval(rest[0], math.nan, math.nan, n)
    reach = t_quantile(0.5 + confidence / 2.0, n - 1) * math.sqrt(variance * n / (n - 1))
    return ConfidenceInterval(rest[0], max(0.0, rest[0] - reach), min(horizon, rest[0] + reach), n)


def _greenwood_log_log_ends(
    share: float, greenwood: float, at_risk: int, before: float, confidence: float
) -> tuple[float, float]:
    if share <= 0.0:
        return 0.0, before
    if share >= 1.0:
        return wilson_interval(at_risk, at_risk, confidence).low, 1.0
    reach = NormalDist().inv_cdf(0.5 + confidence / 2.0) * math.sqrt(greenwood) / abs(math.log(share))
    return share ** math.exp(reach), share ** math.exp(-reach)
