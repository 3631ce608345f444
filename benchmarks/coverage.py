"""How often each 95% interval of `tvo_cli.stats` holds the truth, by simulation (docs/results/intervals.md).

python -m benchmarks.coverage                # the table, a few minutes on one core
python -m benchmarks.coverage --trials 400   # a look
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tvo_cli.stats.bootstrap import clustered_bootstrap, paired_clustered_bootstrap
from tvo_cli.stats.comparison import Difference, holm, paired, welch
from tvo_cli.stats.interval import Interval, clustered_interval, mean_interval, wilson
from tvo_cli.stats.power import seeds_needed
from tvo_cli.stats.ratio import ratio_interval
from tvo_cli.stats.robust import iqm_interval, performance_profile, probability_of_improvement
from tvo_cli.stats.survival import kaplan_meier, restricted_mean

Found = tuple[float, float, float]  # low, high, truth
SEEDS = (3, 5, 10)
DRAWS = 400
CAPITAL = math.exp(0.5 * 0.8**2)  # the mean of the skewed population


class Case(NamedTuple):
    """One row of the table: what is computed, on what data, for which sizes."""

    interval: str
    data: str
    sizes: tuple[int, ...]
    draw: Callable[[Generator, int], Found]
    cost: int = 1  # trials are divided by it


def skewed(generator: Generator, *shape: int) -> NDArray[np.float64]:
    """Lognormal with σ = 0.8: skewness 3.7, worse than learning curves' ends."""
    return np.exp(0.8 * generator.standard_normal(shape))


def fragile(generator: Generator, n: int) -> NDArray[np.float64]:
    """Final accuracies, nine in ten 0.90 ± 0.02, one in ten collapsed to 0.05: mean 0.815."""
    return np.where(generator.random(n) < 0.1, 0.05, 0.9 + 0.02 * generator.standard_normal(n))


def of(found: Interval | Difference, truth: float) -> Found:
    """Its ends, and what they should hold."""
    return found.low, found.high, truth


def percentile(values: NDArray[np.float64], generator: Generator) -> tuple[float, float]:
    """The percentile bootstrap of a mean: what not to do over seeds."""
    rows = generator.integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def means() -> Iterator[Case]:
    """One arm over seeds."""
    yield Case(
        "percentile bootstrap of the mean (not used)",
        "normal",
        SEEDS,
        lambda g, n: (*percentile(g.standard_normal(n), g), 0.0),
    )
    yield Case(
        "percentile bootstrap of the mean (not used)",
        "skewed",
        SEEDS,
        lambda g, n: (*percentile(skewed(g, n), g), CAPITAL),
    )
    yield Case("`mean_interval`", "normal", SEEDS, lambda g, n: of(mean_interval(g.standard_normal(n).tolist()), 0.0))
    yield Case("`mean_interval`", "skewed", SEEDS, lambda g, n: of(mean_interval(skewed(g, n).tolist()), CAPITAL))
    yield Case(
        "`mean_interval`",
        "one run in ten collapses",
        SEEDS,
        lambda g, n: of(mean_interval(fragile(g, n).tolist()), 0.815),
    )


def differences() -> Iterator[Case]:
    """Two arms over seeds."""

    def shared(g: Generator, n: int) -> Found:
        seed = 2.0 * g.standard_normal(n)
        return of(paired(seed + g.standard_normal(n) + 0.3, seed + g.standard_normal(n)), 0.3)

    def coarse(g: Generator, n: int) -> Found:
        return of(paired(g.binomial(200, 0.97, n) / 200, g.binomial(200, 0.95, n) / 200), 0.02)

    yield Case("`paired`", "normal, shared seed effect of twice the noise", SEEDS, shared)
    yield Case("`paired`", "skewed, both arms alike", SEEDS, lambda g, n: of(paired(skewed(g, n), skewed(g, n)), 0.0))
    yield Case(
        "`paired`", "skewed − normal", SEEDS, lambda g, n: of(paired(skewed(g, n), g.standard_normal(n)), CAPITAL)
    )
    yield Case("`paired`", "k of 200 right, 97% and 95%", SEEDS, coarse)
    yield Case(
        "`welch`",
        "normal, equal spread",
        SEEDS,
        lambda g, n: of(welch(g.standard_normal(n), g.standard_normal(n)), 0.0),
    )
    yield Case(
        "`welch`",
        "normal, spreads 1 : 4",
        SEEDS,
        lambda g, n: of(welch(g.standard_normal(n), 4 * g.standard_normal(n)), 0.0),
    )
    yield Case(
        "`welch`",
        "normal, spreads 1 : 4, n and 2n seeds",
        SEEDS,
        lambda g, n: of(welch(4 * g.standard_normal(n), g.standard_normal(2 * n)), 0.0),
    )
    yield Case("`welch`", "skewed − normal", SEEDS, lambda g, n: of(welch(skewed(g, n), g.standard_normal(n)), CAPITAL))
    yield Case(
        "`welch`",
        "one run in ten of one arm collapses",
        SEEDS,
        lambda g, n: of(welch(fragile(g, n), 0.8 + 0.02 * g.standard_normal(n)), 0.015),
    )


def ratios() -> Iterator[Case]:
    """Gradient variances."""

    def together(g: Generator, n: int) -> Found:
        seed = g.standard_normal(n)
        noise = g.standard_normal((2, n))
        return of(ratio_interval(np.exp(seed + 0.7 * noise[0] + math.log(3)), np.exp(seed + 0.7 * noise[1]), True), 3.0)

    yield Case("`ratio_interval`, paired", "lognormal, true ratio 3", SEEDS, together)
    yield Case(
        "`ratio_interval`, Welch",
        "lognormal, spreads 0.4 and 1.2, ratio 3",
        SEEDS,
        lambda g, n: of(
            ratio_interval(3 * np.exp(0.4 * g.standard_normal(n)), np.exp(1.2 * g.standard_normal(n)), False), 3.0
        ),
    )


def problem_scores(g: Generator, n: int, k: int, shift: float = 0.0, effect: NDArray[np.float64] | None = None):
    """0/1 scores of n problems × k generations; a problem's chance is a beta variable: easy ones, hard ones."""
    chance = g.beta(0.6, 0.9, n) if effect is None else effect
    return (g.random((n, k)) < np.clip(chance + shift, 0, 1)[:, None]).astype(float)


def clusters() -> Iterator[Case]:
    """Problems × generations."""
    truth, sizes = 0.6 / 1.5, (10, 30, 100)

    def pair(g: Generator, n: int) -> Found:
        chance = 0.9 * g.beta(0.6, 0.9, n)
        arms = [problem_scores(g, n, 4, shift, chance).tolist() for shift in (0.1, 0.0)]
        return of(paired_clustered_bootstrap(*arms, draws=DRAWS, seed=int(g.integers(1 << 30))), 0.1)

    def flat(g: Generator, n: int) -> Found:
        return of(mean_interval(problem_scores(g, n, 8).ravel().tolist()), truth)

    def two_level(g: Generator, n: int) -> Found:
        return of(
            clustered_bootstrap(problem_scores(g, n, 4).tolist(), draws=DRAWS, seed=int(g.integers(1 << 30))), truth
        )

    def one_level(g: Generator, n: int) -> Found:
        rows = problem_scores(g, n, 4).mean(axis=1, keepdims=True).tolist()
        return of(clustered_bootstrap(rows, draws=DRAWS, seed=int(g.integers(1 << 30))), truth)

    yield Case("t over all generations as if independent (not used)", "beta problems × 8", sizes, flat)
    yield Case(
        "`clustered_interval`",
        "beta problems × 8",
        sizes,
        lambda g, n: of(clustered_interval(problem_scores(g, n, 8).tolist()), truth),
    )
    yield Case("`clustered_bootstrap`", "beta problems × 4", sizes, two_level, 4)
    yield Case("`clustered_bootstrap` of the problems' means", "beta problems × 4", sizes, one_level, 4)
    yield Case("`paired_clustered_bootstrap`", "shared problems × 4, +0.1", sizes, pair, 4)


def collapses() -> Iterator[Case]:
    """Time to collapse: exponential with mean 1, watched until 2, and a third of the runs lost before at random."""

    def watch(g: Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        event, lost = g.exponential(1.0, n), np.where(g.random(n) < 1 / 3, g.uniform(0, 2, n), 2.0)
        return np.minimum(event, lost), event <= lost

    def at(time: float) -> Callable[[Generator, int], Found]:
        def draw(g: Generator, n: int) -> Found:
            s = kaplan_meier(*watch(g, n))
            i = int(np.searchsorted(s.times, time, side="right")) - 1
            return s.low[i], s.high[i], math.exp(-time)

        return draw

    def mean(g: Generator, n: int) -> Found:
        return of(restricted_mean(kaplan_meier(*watch(g, n)), 1.0), 1.0 - math.exp(-1.0))

    for time in (0.2, 0.7, 1.5):
        yield Case("`kaplan_meier`", f"exponential, censored, where {math.exp(-time):.0%} stand", (5, 10, 30), at(time))
    yield Case("`restricted_mean`", "exponential, censored", (5, 10, 30), mean)


def shares() -> Iterator[Case]:
    """Collapse rates."""
    for p in (0.02, 0.1, 0.5):
        yield Case(
            "`wilson`", f"a share of {p}", (5, 10, 30), lambda g, n, p=p: of(wilson(int(g.binomial(n, p)), n), p)
        )


def robust() -> Iterator[Case]:
    """Aggregates over runs, and runs × tasks."""
    middle = float(np.exp(0.8 * _normal_quantiles()[25_000:75_000]).mean())  # the skewed population's IQM

    def profile(g: Generator, n: int) -> Found:
        found = performance_profile(g.standard_normal((n, 3)) + np.array([0.0, 0.5, 1.0]), [0.5])
        truth = float(np.mean([_above(0.5), 0.5, _above(-0.5)]))
        return found.low[0], found.high[0], truth

    yield Case("`iqm_interval`", "normal, one task", SEEDS, lambda g, n: of(_iqm(g.standard_normal(n), g), 0.0))
    yield Case("`iqm_interval`", "skewed, one task", SEEDS, lambda g, n: of(_iqm(skewed(g, n), g), middle))
    yield Case(
        "`iqm_interval`", "normal, ten tasks", SEEDS, lambda g, n: of(_iqm(g.standard_normal((n, 10)), g), 0.0), 2
    )
    for shift, truth in ((0.0, 0.5), (1.0, _above(-1.0 / math.sqrt(2))), (2.5, _above(-2.5 / math.sqrt(2)))):
        yield Case(
            "`probability_of_improvement`",
            f"normal, true {truth:.2f}",
            SEEDS,
            lambda g, n, s=shift, t=truth: of(
                probability_of_improvement(g.standard_normal(n) + s, g.standard_normal(n)), t
            ),
        )
    yield Case(
        "`probability_of_improvement`",
        "four learning rates, true 0.76",
        SEEDS,
        lambda g, n: of(
            probability_of_improvement(g.standard_normal((n, 4)) + 1.0, g.standard_normal((n, 4))),
            _above(-1.0 / math.sqrt(2)),
        ),
    )
    yield Case(
        "`probability_of_improvement`",
        "one run in ten of one arm collapses",
        SEEDS,
        lambda g, n: of(
            probability_of_improvement(fragile(g, n), 0.8 + 0.02 * g.standard_normal(n)),
            0.9 * _above(-0.1 / 0.02 / math.sqrt(2)),
        ),
    )
    yield Case("`performance_profile`", "three unlike tasks, at one threshold", SEEDS, profile)


def _iqm(scores: NDArray[np.float64], g: Generator) -> Interval:
    return iqm_interval(scores, draws=DRAWS, seed=int(g.integers(1 << 30)))


def _above(x: float) -> float:
    return 0.5 * math.erfc(x / math.sqrt(2.0))


def _normal_quantiles() -> NDArray[np.float64]:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(100_000) + 0.5) / 100_000))


def cases() -> list[Case]:
    """Every row."""
    return [case for group in (means, differences, ratios, clusters, shares, collapses, robust) for case in group()]


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
        p = [paired(arm, arms[0]).p for arm in arms[1:]]
        alarms += min(holm(p) if correct else p) <= 0.05
    return alarms / trials


def seeds_told(n: int, trials: int, seed: int = 0) -> tuple[float, float, float]:
    """Quartiles of `seeds_needed` from n paired seeds when the true effect is one standard deviation (truth: 10)."""
    generator = np.random.default_rng([seed, n])
    told = [seeds_needed(generator.standard_normal(n) + 1.0, np.zeros(n), True) or 0 for _ in range(trials)]
    low, middle, high = np.quantile(told, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def table(trials: int) -> Iterator[str]:
    """Markdown lines, as they are measured."""
    yield "| 95% interval | data | n | covers, % |"
    yield "|---|---|---|---|"
    for case in cases():
        found = [coverage(case, n, trials) for n in case.sizes]
        cells = [
            f"{100 * held:.1f}" + (f" (of the {100 * made:.1f}% made)" if made < 1 else "") for held, made in found
        ]
        yield f"| {case.interval} | {case.data} | {' · '.join(map(str, case.sizes))} | {' · '.join(cells)} |"
    yield ""
    yield "| seeds | four arms like the baseline: a false alarm | with Holm | `seeds_needed`, truth 10: middle half |"
    yield "|---|---|---|---|"
    for n in (3, 5, 10, 20):
        plain, corrected = (100 * false_alarms(n, trials, correct) for correct in (False, True))
        low, middle, high = seeds_told(n, trials)
        yield f"| {n} | {plain:.1f}% | {corrected:.1f}% | {low:.0f} … {high:.0f}, median {middle:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000)
    for line in table(parser.parse_args().trials):
        print(line, flush=True)


if __name__ == "__main__":
    main()
