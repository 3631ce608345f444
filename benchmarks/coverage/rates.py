"""Simulated learning-rate grids for each `tvo compare --choose-rate`; benchmarks.coverage runs them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import stdtrit

from tvo_cli.comparison.analysis.rate_choice import CORRECTED, HALF, LEAVE_ONE_OUT, SAME
from tvo_cli.stats.rate_selection import select_rate

Array = NDArray[np.float64]
SEEDS = (3, 5, 10, 20)
CHUNK = 2000  # experiments at once: bounds the memory
SHIFT = {3: 4.3, 5: 2.2, 10: 1.25, 20: 0.87}  # seed sd: what a paired t of one rate finds in three of four experiments
SIGMA = 0.8  # of the skewed seeds, lognormal


class Arm(NamedTuple):
    """An arm's rates: their true means below the best, which is 0, and their spreads over seeds, in seed sd."""

    means: tuple[float, ...]
    spreads: tuple[float, ...] = ()
    collapses: tuple[float, ...] = ()  # how often a run ends at COLLAPSED instead

    def spread(self) -> Array:
        """One a rate."""
        return np.array(self.spreads or (1.0,) * len(self.means))


HOPELESS, COLLAPSED = -9.0, -30.0
TIED = Arm((0.0,) * 4)
CLEAR = Arm((0.0, HOPELESS, HOPELESS, HOPELESS))
CASES: dict[str, tuple[Arm, Arm]] = {
    "four rates tied": (TIED, TIED),
    "two tied, two hopeless": (Arm((0.0, 0.0, HOPELESS, HOPELESS)),) * 2,
    "each 0.5 sd below the one before": (Arm((0.0, -0.5, -1.0, -1.5)),) * 2,
    "one 0.5 sd above the three others": (Arm((0.0, -0.5, -0.5, -0.5)),) * 2,
    "each 1 sd below the one before": (Arm((0.0, -1.0, -2.0, -3.0)),) * 2,
    "each 2 sd below the one before": (Arm((0.0, -2.0, -4.0, -6.0)),) * 2,
    "a clear best": (CLEAR, CLEAR),
    "spreads 1, 2, 4 at means 0, 0, −1": (Arm((0.0, 0.0, -1.0), (1.0, 2.0, 4.0)),) * 2,
    "a fragile rate: 0.3 sd above, but 15% collapse": (Arm((0.0, 0.3, -1.0), collapses=(0.0, 0.15, 0.0)),) * 2,
    "unequal: four tied against a clear best": (TIED, CLEAR),
    "unequal: eight tied against one rate": (Arm((0.0,) * 8), Arm((0.0,))),
    "unequal: 0.5 sd apart against four tied": (Arm((0.0, -0.5, -1.0, -1.5)), TIED),
}


def draw(generator: Generator, trials: int, seeds: int, arm: Arm, shared: float, skewed: bool = False) -> Array:
    """Final values [trials, seeds, rates]; `shared`: the part of a seed's variance that its rates have in common."""
    own = generator.standard_normal((trials, seeds, len(arm.means)))
    common = generator.standard_normal((trials, seeds, 1))
    noise = math.sqrt(1.0 - shared) * own + math.sqrt(shared) * common
    found = np.array(arm.means) + arm.spread() * (_skew(noise) if skewed else noise)
    if arm.collapses:
        found = np.where(generator.random(own.shape) < np.array(arm.collapses), COLLAPSED + own, found)
    return found


def _skew(normal: Array) -> Array:
    """Mean 0, spread 1, skewness −3.7: mostly good, now and then much worse."""
    variance = (math.exp(SIGMA**2) - 1.0) * math.exp(SIGMA**2)
    return (math.exp(0.5 * SIGMA**2) - np.exp(SIGMA * normal)) / math.sqrt(variance)


def at(scores: Array, rates: NDArray[np.intp]) -> Array:
    """[trials, seeds] of [trials, seeds, rates] at one rate a trial."""
    return np.take_along_axis(scores, rates[:, None, None], 2)[:, :, 0]


def corrected(scores: Array) -> Array:
    """The product's default."""
    found = select_rate(scores)
    return at(scores, found.best) - found.correction[:, None]


def same(scores: Array) -> Array:
    """Chosen and scored on the same seeds."""
    return at(scores, scores.mean(1).argmax(1))


def half(scores: Array) -> Array:
    """Chosen on the first half, scored on the second."""
    cut = scores.shape[1] // 2
    return at(scores[:, cut:], scores[:, :cut].mean(1).argmax(1))


def leave_one_out(scores: Array) -> Array:
    """Every seed at the rate that is best over the others."""
    others = scores.sum(1, keepdims=True) - scores
    return np.take_along_axis(scores, others.argmax(2)[:, :, None], 2)[:, :, 0]


WAYS: dict[str, Callable[[Array], Array]] = {
    CORRECTED: corrected,
    HALF: half,
    SAME: same,
    LEAVE_ONE_OUT: leave_one_out,
}


class Found(NamedTuple):
    """Shares of the experiments."""

    alarms: float  # equal arms called different at 5%
    power: float  # an arm that is better by SHIFT called different
    covers: float  # the first arm's 95% interval holds the true mean of its best rate


def measure(
    way: Callable[[Array], Array],
    arms: tuple[Arm, Arm],
    seeds: int,
    trials: int,
    *,
    shared: float = 0.0,
    skewed: bool = False,
    seed: int = 0,
) -> Found:
    """One way to choose, on `trials` experiments of two arms over shared seeds; the draws are the same for each way."""
    generator = np.random.default_rng([13 + seed, seeds, round(100 * shared)])
    counts = np.zeros(3)
    for done in range(0, trials, CHUNK):
        size = min(CHUNK, trials - done)
        first, second = (way(draw(generator, size, seeds, arm, shared, skewed)) for arm in arms)
        counts += _counts(first, second, SHIFT[seeds])
    return Found(*(counts / trials))


def _counts(first: Array, second: Array, shift: float) -> Array:
    differences, n = first - second, first.shape[1]
    if n < 2:
        return np.full(3, np.nan)
    reach = float(stdtrit(n - 1, 0.975)) * differences.std(1, ddof=1) / math.sqrt(n)
    own = float(stdtrit(n - 1, 0.975)) * first.std(1, ddof=1) / math.sqrt(n)
    mean = differences.mean(1)
    alarms, found, held = np.abs(mean) > reach, np.abs(mean + shift) > reach, np.abs(first.mean(1)) <= own
    return np.array([alarms.sum(), found.sum(), held.sum()], dtype=np.float64)


class Setup(NamedTuple):
    """A line of the tables."""

    name: str
    arms: tuple[Arm, Arm]
    shared: float  # part of a seed's variance that all rates of the arm have in common
    skewed: bool


def setups() -> Iterator[Setup]:
    """Every case with rates that are independent and with half of a seed's variance shared; some skewed."""
    for name, arms in CASES.items():
        for shared in (0.0, 0.5):
            yield Setup(name, arms, shared, False)
    for name in ("four rates tied", "each 0.5 sd below the one before", "a clear best"):
        yield Setup(f"skewed seeds: {name}", CASES[name], 0.0, True)
