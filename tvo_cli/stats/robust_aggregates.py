"""Aggregates that a few odd runs do not move (Agarwal et al. 2021, arXiv:2108.13264, whose values they reproduce).

Scores are runs × tasks: entry [i, k] is run i of task k, and the runs of a task are independent of those of another
(a task is a data set, or a learning rate, with runs of its own). One row of numbers counts as one task.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tvo_cli.stats.confidence_interval import ConfidenceInterval, wilson_interval

MINIMA = {  # runs an arm needs before the figure says more than its noise: docs/results/intervals.md
    "interval": 2,
    "interquartile mean": 10,
    "probability of improvement": 5,
    "performance profile": 10,
}


class PerformanceProfile(NamedTuple):
    """The share of runs above each threshold, with a pointwise interval."""

    thresholds: tuple[float, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def reason_against_robust_aggregates(n: int, what: str) -> str | None:
    """Why `what` (a key of MINIMA) is not shown for n runs an arm; None when there are enough."""
    least = MINIMA[what]
    there = "is one" if n == 1 else f"are {n}"
    return None if n >= least else f"{what} needs at least {least} runs an arm, there {there}"


def interquartile_mean(values: ArrayLike) -> float:
    """The mean of the middle half: ⌊n/4⌋ of the n scores are left out at each end. Below four, the plain mean."""
    scores = np.sort(_runs_by_tasks(values), axis=None)
    cut = scores.size // 4
    return float(scores[cut : scores.size - cut].mean())


def interquartile_mean_interval(
    scores: ArrayLike, confidence: float = 0.95, draws: int = 2000, seed: int = 0
) -> ConfidenceInterval:
    """The interquartile mean with the percentile interval of a bootstrap over the runs, stratified by task.

    A draw resamples the runs of every task by themselves, as rliable does. On a single task of few runs it is too
    narrow (docs/results/intervals.md): ask `reason_against_robust_aggregates` first. n is the number of runs.
    """
    table = _runs_by_tasks(scores)
    runs, tasks = table.shape
    generator = np.random.default_rng(seed)
    rows = generator.integers(runs, size=(draws, runs, tasks))
    drawn = np.sort(table[rows, np.arange(tasks)].reshape(draws, -1), axis=1)
    cut = table.size // 4
    means = drawn[:, cut : table.size - cut].mean(axis=1)
    low, high = np.quantile(means, [0.5 - confidence / 2.0, 0.5 + confidence / 2.0])
    return ConfidenceInterval(interquartile_mean(table), float(low), float(high), runs)


def probability_of_improvement(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> ConfidenceInterval:
    """θ = P(A > B) + ½ P(A = B) for a run of each arm, averaged over the tasks: Mann and Whitney's U/(n_a n_b).

    The interval: all θ with |θ̂ − θ| ≤ z·√V(θ), V = θ(1−θ)[1 + (N−1)((1−θ)/(2−θ) + θ/(1+θ))]/(n_a n_b K) with
    N = (n_a + n_b)/2 and K tasks (Newcombe 2006, part 2, method 5). It has a width even when every run of one arm
    beats all of the other, where a bootstrap has none. n is the smaller number of runs. Tasks that differ: ValueError.
    """
    first, second = _runs_by_tasks(a), _runs_by_tasks(b)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"{first.shape[1]} tasks cannot be compared with {second.shape[1]}")
    wins = np.sign(first[:, None, :] - second[None, :, :])
    share, (runs_a, runs_b) = float((wins.mean() + 1.0) / 2.0), (len(first), len(second))
    size = runs_a * runs_b * first.shape[1]
    low, high = _improvement_interval_ends(share, (runs_a + runs_b) / 2.0, size, confidence)
    return ConfidenceInterval(share, low, high, min(runs_a, runs_b))


def performance_profile(values: ArrayLike, thresholds: ArrayLike, confidence: float = 0.95) -> PerformanceProfile:
    """F̂(τ) = share of all scores with x > τ, and Wilson's interval of it at each τ."""
    scores = _runs_by_tasks(values).ravel()
    limits = np.asarray(thresholds, dtype=np.float64).tolist()
    found = [wilson_interval(int((scores > limit).sum()), scores.size, confidence) for limit in limits]
    return PerformanceProfile(
        tuple(limits), *(tuple(getattr(x, end) for x in found) for end in ("mean", "low", "high"))
    )


def optimality_gap(values: ArrayLike, target: float = 1.0) -> float:
    """target − mean(min(x, target)): how far the runs fall short of the target, a surplus not counted. Smaller wins."""
    return float(target - np.minimum(_runs_by_tasks(values), target).mean())


def _improvement_interval_ends(share: float, n: float, size: int, confidence: float) -> tuple[float, float]:
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = float(ndtri(0.5 + confidence / 2.0))

    def excess(theta: float) -> float:
        inner = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta)
        return (share - theta) ** 2 - z * z * theta * (1.0 - theta) * (1.0 + (n - 1.0) * inner) / size

    low = 0.0 if share <= 0.0 else float(brentq(excess, 0.0, min(share, 1.0 - 1e-9)))  # 1 and 0 are roots that say
    high = 1.0 if share >= 1.0 else float(brentq(excess, max(share, 1e-9), 1.0))  # nothing: both sides vanish there
    return low, high


def _runs_by_tasks(values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    scores = scores[:, None] if scores.ndim == 1 else scores
    if scores.ndim != 2 or not scores.size:
        raise ValueError("scores are runs × tasks, and at least one")
    if np.isnan(scores).any():
        raise ValueError("a score is nan: say what a run without a result counts for")
    return scores
