"""How often the 95% interval of an evaluation holds the true accuracy, by simulation (docs/results/intervals.md).

python -m benchmarks.coverage_shares                # both tables, two minutes on one core
python -m benchmarks.coverage_shares --trials 300   # a look
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from tvo_cli.stats.interval import Interval, clustered_interval, mean_interval, wilson

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


def walds(rows: list[list[float]]) -> Interval:
    """What was used before: t over the problems' means; Wilson's where all agree."""
    means = [row[0] for row in rows]
    return clustered_interval(rows) if set(means) in ({0.0}, {1.0}) else mean_interval(means)


def coverage(
    interval: Callable[[list[list[float]]], Interval],
    chances: Chances,
    problems: int,
    samples: int,
    accuracy: float,
    trials: int,
) -> tuple[float, float]:
    """The share of the intervals that hold the accuracy, and their mean width."""
    generator, held, width = np.random.default_rng([17, problems, samples, round(1000 * accuracy)]), 0, 0.0
    for _ in range(trials):
        means = generator.binomial(samples, chances(generator, problems, accuracy)) / samples
        found = interval(means[:, None].tolist())
        held += found.low - 1e-12 <= accuracy <= found.high + 1e-12
        width += min(found.high, 1.0) - max(found.low, 0.0)
    return held / trials, width / trials


def several_samples(trials: int) -> Iterator[str]:
    """The least coverage over all accuracies, and the width at one half."""
    yield "| problems' chances | problems × samples | covers at least, %, of 2 … 98% | t, not used | width at 50% ÷ t |"
    yield "|---|---|---|---|---|"
    for name, chances in KINDS.items():
        for problems in PROBLEMS:
            for samples in SAMPLES:
                yield _line(name, chances, problems, samples, trials)
    yield ""


def _line(name: str, chances: Chances, problems: int, samples: int, trials: int) -> str:
    cells = []
    for interval in (clustered_interval, walds):
        found = {a: coverage(interval, chances, problems, samples, a, trials) for a in ACCURACIES}
        worst = min(found, key=lambda accuracy: found[accuracy][0])
        cells.append((f"{100 * found[worst][0]:.1f} (at {worst:.0%})", found[0.5][1]))
    (ours, width), (old, before) = cells
    return f"| {name} | {problems} × {samples} | {ours} | {old} | {width / before:.2f} |"


def exact(problems: int, interval: Callable[[int], tuple[float, float]]) -> tuple[float, float, float]:
    """One 0/1 score a problem, by enumeration: least and mean coverage over 2 … 98%, and where it is least."""
    ends = np.array([interval(k) for k in range(problems + 1)])
    shares = np.linspace(0.02, 0.98, 961)
    logs = np.array(
        [math.lgamma(problems + 1) - math.lgamma(k + 1) - math.lgamma(problems - k + 1) for k in range(problems + 1)]
    )
    k = np.arange(problems + 1)
    covered = [
        float(
            np.exp(logs + k * math.log(p) + (problems - k) * math.log1p(-p))[
                (ends[:, 0] <= p) & (p <= ends[:, 1])
            ].sum()
        )
        for p in shares
    ]
    return min(covered), float(np.mean(covered)), float(shares[int(np.argmin(covered))])


def one_sample() -> Iterator[str]:
    """Wilson's against t, exactly."""
    yield "| one 0/1 score a problem, problems | Wilson: least, mean, % | t (not used): least, mean, % |"
    yield "|---|---|---|"
    for n in PROBLEMS:
        cells = []
        for rule in (_wilson(n), _t(n)):
            least, mean, at = exact(n, rule)
            cells.append(f"{100 * least:.1f} (at {at:.1%}), {100 * mean:.1f}")
        yield f"| {n} | {cells[0]} | {cells[1]} |"


def _wilson(n: int) -> Callable[[int], tuple[float, float]]:
    return lambda k: wilson(k, n)[1:3]


def _t(n: int) -> Callable[[int], tuple[float, float]]:
    return lambda k: walds([[1.0]] * k + [[0.0]] * (n - k))[1:3]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    for line in one_sample():
        print(line, flush=True)
    print()
    for line in several_samples(parser.parse_args().trials):
        print(line, flush=True)


if __name__ == "__main__":
    main()
