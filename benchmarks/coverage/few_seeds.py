"""Equal arms, one of them with rates of few seeds beside a full one: how often `tvo compare` calls them different."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmarks.coverage.rates import CHUNK, Arm, at, draw
from tvo_cli.comparison.analysis.contrast_over_seeds import are_paired
from tvo_cli.comparison.analysis.rate_choice import FinalValues, competing_rates
from tvo_cli.stats.rate_selection import select_rate

Array = NDArray[np.float64]
RATES = Arm((0.0,) * 9)  # the first has all seeds, the eight others few
RULES: dict[str, Callable[[FinalValues], FinalValues]] = {
    "all compete": lambda found: found,
    "half of the fullest": competing_rates,
}


class Grid(NamedTuple):
    """How many seeds the full rate has, and each of the eight others."""

    seeds: int
    few: int
    shared: float  # part of a seed's variance that all rates of the arm have in common


def grids() -> Iterator[Grid]:
    """From two seeds to half of all, and all but one."""
    for shared in (0.0, 0.5):
        for seeds in (5, 10, 20):
            for few in sorted({2, 3, (seeds + 1) // 2, seeds - 1}):
                yield Grid(seeds, few, shared)


def false_verdicts(grid: Grid, rule: str, trials: int, seed: int = 0) -> float:
    """The share of experiments in which an arm of nine rates and an equal one of one rate are called different."""
    generator = np.random.default_rng([17 + seed, grid.seeds, grid.few, round(100 * grid.shared)])
    found = 0
    for done in range(0, trials, CHUNK):
        size = min(CHUNK, trials - done)
        scores = draw(generator, size, grid.seeds, RATES, grid.shared)
        scores[:, grid.few :, 1:] = math.nan
        other = draw(generator, size, grid.seeds, Arm((0.0,)), grid.shared)[:, :, 0]
        found += _different(_at_own_rate(scores, grid, RULES[rule]), other)
    return found / trials


def _at_own_rate(scores: Array, grid: Grid, rule: Callable[[FinalValues], FinalValues]) -> Array:
    """The corrected values at the rate that is best of those that compete, nan where the seed was not run there."""
    counts = [grid.seeds, *[grid.few] * (len(RATES.means) - 1)]
    able = rule({float(rate): {str(seed): 0.0 for seed in range(n)} for rate, n in enumerate(counts)})
    able_scores = scores[:, :, [int(rate) for rate in able]]
    chosen = select_rate(able_scores)
    return at(able_scores, chosen.best) - chosen.correction[:, None]


def _different(mine: Array, other: Array) -> int:
    """How many experiments are separated at 5%: in pairs or by Welch's test, as `tvo compare` decides."""
    have, found = np.isfinite(mine).sum(1), 0
    for n in np.unique(have):
        first, second = mine[have == n][:, :n], other[have == n]
        if are_paired(int(n), int(n), second.shape[1]):
            found += int(_separated_in_pairs(first - second[:, :n]).sum())
        else:
            found += int(_separated_by_welch(first, second).sum())
    return found


def _separated_in_pairs(differences: Array) -> NDArray[np.bool_]:
    n = differences.shape[1]
    reach = float(stdtrit(n - 1, 0.975)) * differences.std(1, ddof=1) / math.sqrt(n)
    return np.asarray(np.abs(differences.mean(1)) > reach)


def _separated_by_welch(first: Array, second: Array) -> NDArray[np.bool_]:
    sizes = [first.shape[1], second.shape[1]]
    parts = [x.var(1, ddof=1) / n for x, n in zip((first, second), sizes, strict=True)]
    degrees = (parts[0] + parts[1]) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, sizes, strict=True))
    reach = stdtrit(degrees, 0.975) * np.sqrt(parts[0] + parts[1])
    return np.asarray(np.abs(first.mean(1) - second.mean(1)) > reach)
