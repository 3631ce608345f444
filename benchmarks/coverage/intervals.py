"""Simulated data with a known truth for every 95% interval of `tvo_cli.stats`; benchmarks.coverage runs them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

from tvo_cli.stats.bootstrap import clustered_bootstrap, paired_clustered_bootstrap
from tvo_cli.stats.confidence_interval import ConfidenceInterval, clustered_interval, mean_interval, wilson_interval
from tvo_cli.stats.log_scale import ratio_of_means_interval
from tvo_cli.stats.power import seeds_needed
from tvo_cli.stats.robust_aggregates import interquartile_mean_interval, performance_profile, probability_of_improvement
from tvo_cli.stats.survival import kaplan_meier, restricted_mean_survival
from tvo_cli.stats.t_tests import Difference, holm_adjusted, paired_difference, welch_difference

Array = NDArray[np.float64]
Ends = tuple[float, float, float]  # low, high, truth
Draw = Callable[[Generator, int], Ends]
Population = Callable[[Generator, int], Array]
Found = ConfidenceInterval | Difference
SEEDS = (3, 5, 10)
WATCHED = (5, 10, 30)  # runs for which collapses are counted
RESAMPLES = 400
SKEWED_MEAN = math.exp(0.5 * 0.8**2)
PROBLEMS, PROBLEM_MEAN = (10, 30, 100), 0.6 / 1.5


class Case(NamedTuple):
    """One row of the table: what is computed, on what data, for which sizes."""

    interval: str
    data: str
    sizes: tuple[int, ...]
    draw: Draw
    cost: int = 1  # trials are divided by it


def normal(generator: Generator, *shape: int) -> Array:
    """Mean 0, standard deviation 1."""
    return generator.standard_normal(shape)


def skewed(generator: Generator, *shape: int) -> Array:
    """Lognormal with σ = 0.8: skewness 3.7, worse than the last points of learning curves."""
    return np.exp(0.8 * generator.standard_normal(shape))


def fragile(generator: Generator, n: int) -> Array:
    """Final accuracies, nine in ten 0.90 ± 0.02, one in ten collapsed to 0.05: mean 0.815."""
    return np.where(generator.random(n) < 0.1, 0.05, 0.9 + 0.02 * generator.standard_normal(n))


def steady(generator: Generator, n: int) -> Array:
    """Final accuracies 0.80 ± 0.02."""
    return 0.8 + 0.02 * generator.standard_normal(n)


def ends(found: Found, truth: float) -> Ends:
    """Low and high of an interval, and what should lie between them."""
    return found.low, found.high, truth


def one_arm(population: Population, truth: float) -> Draw:
    """`mean_interval` of n values."""
    return lambda g, n: ends(mean_interval(population(g, n).tolist()), truth)


def two_arms(interval: Callable[[Array, Array], Found], first: Population, second: Population, truth: float) -> Draw:
    """An interval of first − second."""
    return lambda g, n: ends(interval(first(g, n), second(g, n)), truth)


def percentile(population: Population, truth: float) -> Draw:
    """The percentile bootstrap of a mean: what not to do over seeds."""

    def draw(g: Generator, n: int) -> Ends:
        values = population(g, n)
        rows = g.integers(len(values), size=(2000, len(values)))
        low, high = np.quantile(values[rows].mean(axis=1), [0.025, 0.975])
        return float(low), float(high), truth

    return draw


def means() -> Iterator[Case]:
    """One arm over seeds."""
    unused = "percentile bootstrap of the mean (not used)"
    yield Case(unused, "normal", SEEDS, percentile(normal, 0.0))
    yield Case(unused, "skewed", SEEDS, percentile(skewed, SKEWED_MEAN))
    yield Case("`mean_interval`", "normal", SEEDS, one_arm(normal, 0.0))
    yield Case("`mean_interval`", "skewed", SEEDS, one_arm(skewed, SKEWED_MEAN))
    yield Case("`mean_interval`", "one run in ten collapses", SEEDS, one_arm(fragile, 0.815))


def pairs() -> Iterator[Case]:
    """Two arms over the same seeds."""
    effect = "normal, shared seed effect of twice the noise"
    yield Case("`paired`", effect, SEEDS, _shared_seed_effect)
    yield Case("`paired`", "skewed, both arms alike", SEEDS, two_arms(paired_difference, skewed, skewed, 0.0))
    yield Case("`paired`", "skewed − normal", SEEDS, two_arms(paired_difference, skewed, normal, SKEWED_MEAN))
    yield Case("`paired`", "k of 200 right, 97% and 95%", SEEDS, _few_values)


def _shared_seed_effect(g: Generator, n: int) -> Ends:
    seed = 2.0 * g.standard_normal(n)
    return ends(paired_difference(seed + g.standard_normal(n) + 0.3, seed + g.standard_normal(n)), 0.3)


def _few_values(g: Generator, n: int) -> Ends:
    return ends(paired_difference(g.binomial(200, 0.97, n) / 200, g.binomial(200, 0.95, n) / 200), 0.02)


def unpaired() -> Iterator[Case]:
    """Two arms over seeds of their own."""

    def wide(g: Generator, n: int) -> Array:
        return 4 * g.standard_normal(n)

    def twice(g: Generator, n: int) -> Array:
        return g.standard_normal(2 * n)

    yield Case("`welch`", "normal, equal spread", SEEDS, two_arms(welch_difference, normal, normal, 0.0))
    yield Case("`welch`", "normal, spreads 1 : 4", SEEDS, two_arms(welch_difference, normal, wide, 0.0))
    yield Case("`welch`", "normal, spreads 1 : 4, n and 2n seeds", SEEDS, two_arms(welch_difference, wide, twice, 0.0))
    yield Case("`welch`", "skewed − normal", SEEDS, two_arms(welch_difference, skewed, normal, SKEWED_MEAN))
    collapses = two_arms(welch_difference, fragile, steady, 0.015)
    yield Case("`welch`", "one run in ten of one arm collapses", SEEDS, collapses)


def ratios() -> Iterator[Case]:
    """Gradient variances."""

    def together(g: Generator, n: int) -> Ends:
        seed, noise = g.standard_normal(n), g.standard_normal((2, n))
        first, second = np.exp(seed + 0.7 * noise[0] + math.log(3)), np.exp(seed + 0.7 * noise[1])
        return ends(ratio_of_means_interval(first, second, True), 3.0)

    def apart(g: Generator, n: int) -> Ends:
        first, second = 3 * np.exp(0.4 * g.standard_normal(n)), np.exp(1.2 * g.standard_normal(n))
        return ends(ratio_of_means_interval(first, second, False), 3.0)

    yield Case("`ratio_interval`, paired", "lognormal, true ratio 3", SEEDS, together)
    yield Case("`ratio_interval`, Welch", "lognormal, spreads 0.4 and 1.2, ratio 3", SEEDS, apart)


def problem_scores(g: Generator, n: int, k: int, shift: float = 0.0, chances: Array | None = None) -> Array:
    """0/1 scores of n problems × k generations; a problem's chance is a beta variable: easy ones, hard ones."""
    chances = g.beta(0.6, 0.9, n) if chances is None else chances
    return (g.random((n, k)) < np.clip(chances + shift, 0, 1)[:, None]).astype(float)


def clusters() -> Iterator[Case]:
    """Problems × generations."""

    def t(g: Generator, n: int) -> Ends:
        return ends(mean_interval(problem_scores(g, n, 8).ravel().tolist()), PROBLEM_MEAN)

    def clustered(g: Generator, n: int) -> Ends:
        return ends(clustered_interval(problem_scores(g, n, 8).tolist()), PROBLEM_MEAN)

    def two_levels(g: Generator, n: int) -> Ends:
        return ends(_resampled(problem_scores(g, n, 4), g), PROBLEM_MEAN)

    def one_level(g: Generator, n: int) -> Ends:
        return ends(_resampled(problem_scores(g, n, 4).mean(axis=1, keepdims=True), g), PROBLEM_MEAN)

    yield Case("t over all generations as if independent (not used)", "beta problems × 8", PROBLEMS, t)
    yield Case("`clustered_interval`", "beta problems × 8", PROBLEMS, clustered)
    yield Case("`clustered_bootstrap`", "beta problems × 4", PROBLEMS, two_levels, 4)
    yield Case("`clustered_bootstrap` of the problems' means", "beta problems × 4", PROBLEMS, one_level, 4)
    yield Case("`paired_clustered_bootstrap`", "shared problems × 4, +0.1", PROBLEMS, _shared_problems, 4)


def _resampled(scores: Array, g: Generator) -> ConfidenceInterval:
    return clustered_bootstrap(scores.tolist(), draws=RESAMPLES, seed=int(g.integers(1 << 30)))


def _shared_problems(g: Generator, n: int) -> Ends:
    chances = 0.9 * g.beta(0.6, 0.9, n)
    first, second = (problem_scores(g, n, 4, shift, chances).tolist() for shift in (0.1, 0.0))
    return ends(paired_clustered_bootstrap(first, second, draws=RESAMPLES, seed=int(g.integers(1 << 30))), 0.1)


def collapse_times() -> Iterator[Case]:
    """Time to collapse: exponential with mean 1, watched until 2, and a third of the runs lost before at random."""

    def watch(g: Generator, n: int) -> tuple[Array, NDArray[np.bool_]]:
        event, lost = g.exponential(1.0, n), np.where(g.random(n) < 1 / 3, g.uniform(0, 2, n), 2.0)
        return np.minimum(event, lost), event <= lost

    def at(time: float, g: Generator, n: int) -> Ends:
        found = kaplan_meier(*watch(g, n))
        i = int(np.searchsorted(found.times, time, side="right")) - 1
        return found.low[i], found.high[i], math.exp(-time)

    def mean(g: Generator, n: int) -> Ends:
        return ends(restricted_mean_survival(kaplan_meier(*watch(g, n)), 1.0), 1.0 - math.exp(-1.0))

    for time in (0.2, 0.7, 1.5):
        data = f"exponential, censored, where {math.exp(-time):.0%} stand"
        yield Case("`kaplan_meier`", data, WATCHED, partial(at, time))
    yield Case("`restricted_mean`", "exponential, censored", WATCHED, mean)


def shares() -> Iterator[Case]:
    """Collapse rates."""

    def share(p: float, g: Generator, n: int) -> Ends:
        return ends(wilson_interval(int(g.binomial(n, p)), n), p)

    yield from (Case("`wilson`", f"a share of {p}", WATCHED, partial(share, p)) for p in (0.02, 0.1, 0.5))


def interquartile_means() -> Iterator[Case]:
    """Over runs, and over runs × tasks."""

    def draw(population: Callable[..., Array], truth: float, *tasks: int) -> Draw:
        def one(g: Generator, n: int) -> Ends:
            scores = population(g, n, *tasks)
            return ends(interquartile_mean_interval(scores, draws=RESAMPLES, seed=int(g.integers(1 << 30))), truth)

        return one

    quantiles = np.asarray(ndtri((np.arange(100_000) + 0.5) / 100_000))
    middle = float(np.exp(0.8 * quantiles[25_000:75_000]).mean())  # of the skewed population
    yield Case("`iqm_interval`", "normal, one task", SEEDS, draw(normal, 0.0))
    yield Case("`iqm_interval`", "skewed, one task", SEEDS, draw(skewed, middle))
    yield Case("`iqm_interval`", "normal, ten tasks", SEEDS, draw(normal, 0.0, 10), 2)


def improvements() -> Iterator[Case]:
    """The probability that a run of one arm beats a run of the other, and a performance profile."""

    def better(shift: float, *tasks: int) -> Draw:
        def one(g: Generator, n: int) -> Ends:
            first, second = g.standard_normal((n, *tasks)) + shift, g.standard_normal((n, *tasks))
            return ends(probability_of_improvement(first, second), _beyond(-shift / math.sqrt(2)))

        return one

    for shift in (0.0, 1.0, 2.5):
        data = f"normal, true {_beyond(-shift / math.sqrt(2)):.2f}"
        yield Case("`probability_of_improvement`", data, SEEDS, better(shift))
    yield Case("`probability_of_improvement`", "four learning rates, true 0.76", SEEDS, better(1.0, 4))
    unlike = two_arms(probability_of_improvement, fragile, steady, 0.9 * _beyond(-0.1 / 0.02 / math.sqrt(2)))
    yield Case("`probability_of_improvement`", "one run in ten of one arm collapses", SEEDS, unlike)
    yield Case("`performance_profile`", "three unlike tasks, at one threshold", SEEDS, _profile)


def _profile(g: Generator, n: int) -> Ends:
    found = performance_profile(g.standard_normal((n, 3)) + np.array([0.0, 0.5, 1.0]), [0.5])
    return found.low[0], found.high[0], float(np.mean([_beyond(0.5), 0.5, _beyond(-0.5)]))


def _beyond(x: float) -> float:
    """The chance that a normal variable exceeds x."""
    return 0.5 * math.erfc(x / math.sqrt(2.0))


GROUPS = (means, pairs, unpaired, ratios, clusters, shares, collapse_times, interquartile_means, improvements)


def cases() -> list[Case]:
    """Every row."""
    return [case for group in GROUPS for case in group()]


def coverage(case: Case, n: int, trials: int, seed: int = 0) -> tuple[float, float]:
    """The share of the intervals that hold the truth, and the share of the draws that had an interval."""
    generator = np.random.default_rng([seed, n])
    found = np.array([case.draw(generator, n) for _ in range(max(1, trials // case.cost))])
    exists = ~np.isnan(found[:, 0])
    held = (found[:, 0] <= found[:, 2] + 1e-12) & (found[:, 2] <= found[:, 1] + 1e-12)
    return float(held[exists].mean()), float(exists.mean())


def false_alarms(n: int, trials: int, correct: bool, seed: int = 0) -> float:
    """How often at least one of four arms that differ in nothing is called different from the baseline."""
    generator, alarms = np.random.default_rng([seed, n]), 0
    for _ in range(trials):
        arms = generator.standard_normal((5, n)) + generator.standard_normal(n)
        p = [paired_difference(arm, arms[0]).p for arm in arms[1:]]
        alarms += min(holm_adjusted(p) if correct else p) <= 0.05
    return alarms / trials


def seeds_told(n: int, trials: int, seed: int = 0) -> tuple[float, float, float]:
    """Quartiles of `seeds_needed` from n paired seeds when the true effect is one standard deviation (truth: 10)."""
    generator = np.random.default_rng([seed, n])
    told = [seeds_needed(generator.standard_normal(n) + 1.0, np.zeros(n), True) or 0 for _ in range(trials)]
    low, middle, high = np.quantile(told, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)
