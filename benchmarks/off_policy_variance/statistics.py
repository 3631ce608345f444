"""Statistics of off_policy_variance: variances, projections and biases from inner products of mean gradients.

⟨a, b⟩ of two estimators is the mean over pairs of *different* seeds of their mean gradients' inner products: unbiased
for the inner product of the expectations, also of an estimator with itself or with one on the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.record import Row
from tvo_cli.stats.confidence_interval import t_quantile

REFERENCE, TRUE = "grpo", "true"
SHARPENED = {"clip, consistent, sharpened": 1.0, "clip, consistent": -1.0}  # ½∇Σπ², β and batches being the same
CONTROLS = {  # an estimator with a control variate, and the same without
    "clip, control": "clip",
    "clip, consistent": "clip",
    "mobility, control": "mobility",
    "mobility, consistent": "mobility",
}
OF_INTEREST = (
    *("grpo", "clip", "clip, control", "clip, consistent", "mobility", "mobility, control"),
    *("mobility, consistent", "mobility, consistent, 128 × 1", "no wall, consistent"),
)
Combination = Mapping[str, float]


@dataclass(frozen=True)
class Cell:
    """The rows of one stage, direction and displacement; `seeds` are those that are looked at."""

    rows: Mapping[tuple[str, int], Row]
    products: NDArray[np.float64]  # of all mean gradients, in the order of the rows
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Cell:
        """Of a record's rows, in their order."""
        named = {(row["estimator"], row["seed"]): row for row in rows}
        seeds = tuple(dict.fromkeys(row["seed"] for row in rows))
        below = np.zeros((len(rows), len(rows)))
        for place, row in enumerate(rows):
            below[place, : place + 1] = row["products"]
        return cls(named, below + np.tril(below, -1).T, seeds)

    def inner(self, first: Combination, second: Combination) -> float:
        """⟨Σ a_i x_i, Σ b_j y_j⟩ over pairs of different seeds."""
        left, right = self._vectors(first), self._vectors(second)
        pairs = left @ self.products @ right.T
        n = len(self.seeds)
        return float((pairs.sum() - np.trace(pairs)) / (n * (n - 1)))

    def _vectors(self, combination: Combination) -> NDArray[np.float64]:
        """The combination of each seed, as weights of the rows, [seeds, rows]."""
        places = {key: place for place, key in enumerate(self.rows)}
        found = np.zeros((len(self.seeds), len(places)))
        for name, factor in combination.items():
            for line, seed in zip(found, self.seeds, strict=True):
                line[places[name, seed]] += factor
        return found

    @property
    def signal(self) -> float:
        """|g|²."""
        return self.inner({TRUE: 1.0}, {TRUE: 1.0})

    def mean(self, field: str, name: str) -> float:
        """Of a field of an estimator's rows, over the seeds."""
        return fmean(self.rows[name, seed][field] for seed in self.seeds)

    def beta(self, name: str) -> float:
        """The control variate's, mean over the seeds."""
        return self.mean("beta", name)

    def projection(self, name: str) -> float:
        """⟨E ĝ, g⟩/|g|²: 1 without bias along g."""
        return self.inner({name: 1.0}, {TRUE: 1.0}) / self.signal

    def bias(self, name: str) -> float:
        """|E ĝ − g|²/|g|²."""
        gap = {name: 1.0, TRUE: -1.0} if name != TRUE else {}
        return self.inner(gap, gap) / self.signal

    def across(self, name: str) -> float:
        """What of |E ĝ − g|²/|g|² no rescaling takes away: all but (1 − projection)², which lies along g."""
        return self.bias(name) - (1.0 - self.projection(name)) ** 2

    def normalised(self, name: str) -> float:
        """tr Cov/(projection²·|g|²): what is left after any rescaling."""
        return self.mean("trace", name) / (self.projection(name) ** 2 * self.signal)

    def normalised_over(self, name: str, other: str) -> float:
        """The ratio of two normalised variances, in which |g|² cancels."""
        return self.normalised(name) / self.normalised(other)

    def trace_over(self, name: str, other: str) -> float:
        """The ratio of two variances."""
        return self.mean("trace", name) / self.mean("trace", other)

    def added_along(self, name: str, without: str) -> float:
        """⟨E ĝ − E ĝ_without, g⟩/|g|²."""
        return self.inner({name: 1.0, without: -1.0}, {TRUE: 1.0}) / self.signal

    def added(self, name: str, without: str) -> float:
        """|E ĝ − E ĝ_without|²/|g|²."""
        apart = {name: 1.0, without: -1.0}
        return self.inner(apart, apart) / self.signal

    def sharpening(self, name: str, without: str) -> float:
        """The coefficient of ½∇Σπ² in E ĝ − E ĝ_without, least squares, in units of reward."""
        return self.inner({name: 1.0, without: -1.0}, SHARPENED) / self.inner(SHARPENED, SHARPENED)

    def share_of_sharpening(self, name: str, without: str) -> float:
        """The squared cosine of E ĝ − E ĝ_without and ½∇Σπ²; its denominator is near 0 where nothing is added."""
        apart = {name: 1.0, without: -1.0}
        return self.inner(apart, SHARPENED) ** 2 / (self.inner(apart, apart) * self.inner(SHARPENED, SHARPENED))


def jackknife(cell: Cell, statistic: Callable[[Cell], float]) -> tuple[float, float, float]:
    """The statistic with a 95% interval: t of n − 1, error² = (n − 1)/n·Σ (θ_(−i) − θ̄)² over seeds left out."""
    n = len(cell.seeds)
    left = [statistic(replace(cell, seeds=cell.seeds[:i] + cell.seeds[i + 1 :])) for i in range(n)]
    error = math.sqrt((n - 1) / n * sum((value - fmean(left)) ** 2 for value in left))
    value, reach = statistic(cell), t_quantile(0.975, n - 1) * error
    return value, value - reach, value + reach


def interval(cell: Cell, statistic: Callable[..., float], *names: str) -> str:
    """`value [low, high]` of statistic(cell, *names)."""
    return "{:.3g} [{:.3g}, {:.3g}]".format(*jackknife(cell, lambda one: statistic(one, *names)))


def ratio_interval(cell: Cell, statistic: Callable[..., float], *names: str) -> str:
    """The same of a positive statistic, by its log; 1 of an estimator over itself."""
    if len(set(names)) == 1:
        return "1"
    found = jackknife(cell, lambda one: math.log(statistic(one, *names)))
    return "{:.2f} [{:.2f}, {:.2f}]".format(*map(_power, found))


def _power(exponent: float) -> float:
    return math.exp(min(exponent, 700.0))  # an end that no float holds
