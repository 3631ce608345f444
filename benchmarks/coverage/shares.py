"""Simulated evaluations with a known accuracy for the 95% interval of a share; benchmarks.coverage runs them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from tvo_cli.stats.confidence_interval import ConfidenceInterval, clustered_interval, mean_interval, wilson_interval

Array = NDArray[np.float64]
PROBLEMS = (30, 60, 100, 200, 500)
SAMPLES = (4, 32)
ACCURACIES = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98)
SPREAD = 3.0  # of the logits: from hopeless to certain
QUANTILES = SPREAD * ndtri((np.arange(4000) + 0.5) / 4000)

Chances = Callable[[Generator, int, float], Array]  # problems, mean accuracy → each problem's chance


def _beta(strength: float) -> Chances:
    return lambda generator, n, mean: generator.beta(strength * mean, strength * (1.0 - mean), n)


def _solvable(generator: Generator, n: int, mean: float) -> Array:
    """Solved in nine of ten samples or never; above one half failed in nine of ten or never."""
    rare = min(mean, 1.0 - mean)
    chance = np.where(generator.random(n) < rare / 0.9, 0.9, 0.0)
    return chance if mean <= 0.5 else 1.0 - chance


def _logit_normal(generator: Generator, n: int, mean: float) -> Array:
    centre = brentq(lambda at: float(expit(at + QUANTILES).mean()) - mean, -40.0, 40.0)
    return np.asarray(expit(centre + SPREAD * generator.standard_normal(n)))


KINDS: dict[str, Chances] = {
    "all problems alike": lambda generator, n, mean: np.full(n, mean),
    "beta, strength 1.5": _beta(1.5),
    "beta, strength 0.5": _beta(0.5),
    "logit-normal, spread 3": _logit_normal,
    "solvable or not": _solvable,
}


def walds(rows: list[list[float]]) -> ConfidenceInterval:
    """What was used before: t over the problems' means; Wilson's where all agree."""
    means = [row[0] for row in rows]
    return clustered_interval(rows) if set(means) in ({0.0}, {1.0}) else mean_interval(means)


def coverage(
    interval: Callable[[list[list[float]]], ConfidenceInterval],
    chances: Chances,
    problems: int,
    samples: int,
    accuracy: float,
    trials: int,
    seed: int = 0,
) -> tuple[float, float]:
    """The share of the intervals that hold the accuracy, and their mean width."""
    generator = np.random.default_rng([17 + seed, problems, samples, round(1000 * accuracy)])
    held, width = 0, 0.0
    for _ in range(trials):
        means = generator.binomial(samples, chances(generator, problems, accuracy)) / samples
        found = interval(means[:, None].tolist())
        held += found.low - 1e-12 <= accuracy <= found.high + 1e-12
        width += min(found.high, 1.0) - max(found.low, 0.0)
    return held / trials, width / trials


def exact(problems: int, interval: Callable[[int], tuple[float, float]]) -> tuple[float, float, float]:
    """One 0/1 score a problem, by enumeration: least and mean coverage over 2 … 98%, and where it is least."""
    k = np.arange(problems + 1)
    ends = np.array([interval(int(one)) for one in k])
    logs = np.array([math.lgamma(problems + 1) - math.lgamma(i + 1) - math.lgamma(problems - i + 1) for i in k])
    shares, covered = np.linspace(0.02, 0.98, 961), []
    for p in shares:
        chances = np.exp(logs + k * math.log(p) + (problems - k) * math.log1p(-p))
        covered.append(float(chances[(ends[:, 0] <= p) & (p <= ends[:, 1])].sum()))
    return min(covered), float(np.mean(covered)), float(shares[int(np.argmin(covered))])


def wilson_ends(n: int) -> Callable[[int], tuple[float, float]]:
    """Wilson's interval of k right ones of n."""
    return lambda k: wilson_interval(k, n)[1:3]


def t_ends(n: int) -> Callable[[int], tuple[float, float]]:
    """The interval that was used before, of k right ones of n."""
    return lambda k: walds([[1.0]] * k + [[0.0]] * (n - k))[1:3]
