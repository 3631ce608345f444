"""A curve: one metric's values so far; mean, noise and change of any stretch, and since when it stays past a level.

Two noises: that of one value, and the lasting one, by which a mean over many values still errs where neighbouring
values are alike. Of n values with autocorrelations ρ_k the mean has the variance (σ²/n)·(1 + 2·Σ_k ρ_k), not σ²/n.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from tvo_cli.stability.step_accuracy import ABSOLUTE_DIFFERENCE

LONG = 100  # values from which on batches of them tell a lasting noise
BATCH = 0.6  # exponent of the size of such a batch in the number of values: both grow (Flegal and Jones, 2010)
GRID = 1.1  # factor between two lengths at which the lasting noise is told anew
SECOND_DIFFERENCE = math.sqrt(math.pi / 2.0 / 6.0)  # σ over E|x − 2y + z| of independent normal values


class Curve:
    """The values of a metric so far: prefix sums of them and of their successive absolute differences.

    The sums are made when they are first asked for: of many curves few are looked at, and at few steps. The noise σ of
    a value comes from successive differences (von Neumann, 1941), which a slow trend hardly moves.
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.values: list[float] = []
        self._sums, self._differences = [0.0], [0.0]
        self._lasting = (0, 0.0)  # the length at which the lasting noise was told, and the noise

    @classmethod
    def of(cls, steps: Sequence[int], values: Sequence[float]) -> Curve:
        """Return a curve with these values."""
        curve = cls()
        for step, value in zip(steps, values, strict=True):
            curve.append(step, value)
        return curve

    def state_dict(self) -> dict[str, Any]:
        """All of it in plain numbers, for `of`."""
        return {"steps": list(self.steps), "values": list(self.values)}

    def __len__(self) -> int:
        """How many values there are."""
        return len(self.values)

    def append(self, step: int, value: float) -> None:
        """Add the value of a step."""
        self.steps.append(step)
        self.values.append(value)

    def append_metric(self, metrics: Mapping[str, float], name: str) -> float | None:
        """Add the value that a step has of the curve's metric, where it is finite; return the value."""
        value = metrics.get(name)
        if value is None or not -math.inf < value < math.inf:
            return None
        self.steps.append(int(metrics["step"]))
        self.values.append(value)
        return value

    def spacing(self) -> float:
        """Return the steps from one value to the next, on average: a trainer may log every tenth."""
        count = len(self.steps) - 1
        return (self.steps[-1] - self.steps[0]) / count if count > 0 and self.steps[-1] > self.steps[0] else 1.0

    def mean(self, first: int, end: int) -> float:
        """Return the mean of values[first:end]."""
        sums = self._sums
        known = len(sums)
        if end == known:
            sums.append(sums[-1] + self.values[end - 1])
        elif end > known:
            sums.extend(accumulate(self.values[known - 1 :], initial=sums.pop()))
        return (sums[end] - sums[first]) / (end - first)

    def noise(self, first: int, end: int) -> float:
        """Return σ of one value, from the differences inside values[first:end]."""
        if end - first < 2:
            return 0.0
        sums, values = self._differences, self.values
        if end > len(sums):
            known = len(sums) - 1
            sizes = (abs(after - before) for before, after in pairwise(values[known:]))
            sums.extend(accumulate(sizes, initial=sums.pop()))
        return ABSOLUTE_DIFFERENCE * (sums[end - 1] - sums[first]) / (end - first - 1)

    def lasting_noise(self) -> float:
        """Return √(lim n·Var(mean of n)): σ where values are independent, more where they go together.

        From the means of batches of n^0.6 values, by their second differences, which a trend does not move. 0 while
        there are fewer than LONG values: batches of so few tell nothing.
        """
        if len(self) < LONG:
            return 0.0
        length = _on_grid(len(self))
        if self._lasting[0] != length:
            self._lasting = (length, self._noise_of_batches(length))
        return self._lasting[1]

    def _noise_of_batches(self, length: int) -> float:
        size = round(length**BATCH)
        means = [self.mean(at, at + size) for at in range(length % size, length - size + 1, size)]
        bends = [abs(a - 2.0 * b + c) for a, b, c in zip(means, means[1:], means[2:], strict=False)]
        return math.sqrt(size) * SECOND_DIFFERENCE * math.fsum(bends) / len(bends)

    def gain(self, window: int, last: int | None = None) -> float:
        """Return the same as `change` without its error, which costs more; 0 while there are not two windows."""
        end, late = len(self.values), window if last is None else last
        return self.mean(end - late, end) - self.mean(0, window) if end >= window + late else 0.0

    def change(
        self, window: int, least_noise: float = 0.0, first: int = 0, last: int | None = None
    ) -> tuple[float, float]:
        """Return how much the mean of the last window lies above that of the one at `first`, and its standard error.

        The last window has `last` values, or as many as the first. The noise is that of both windows, and at least
        `least_noise` and the lasting noise; (0, inf) while there are not two windows.
        """
        end, late = len(self), window if last is None else last
        if end - first < window + late:
            return 0.0, math.inf
        before, after = self.mean(first, first + window), self.mean(end - late, end)
        variances = (self.noise(first, first + window) ** 2 + self.noise(end - late, end) ** 2) / 2.0
        noise = max(math.sqrt(variances), least_noise, self.lasting_noise())
        return after - before, noise * math.sqrt(1.0 / window + 1.0 / late)

    def below_since(self, level: float) -> int:
        """Return the step since which the curve has stayed below a level, but for single values above it."""
        return self.steps[_begin_of_last_stretch(value < level for value in reversed(self.values))]

    def above_since(self, level: float) -> int:
        """Return the step since which the curve has stayed above a level, but for single values below it."""
        return self.steps[_begin_of_last_stretch(value > level for value in reversed(self.values))]


@lru_cache(maxsize=1 << 14)  # the curves of a run have the same lengths
def _on_grid(length: int) -> int:
    """Return the greatest length of the grid LONG·GRID^k that is no greater, at which a curve's noise is kept."""
    steps = math.floor(math.log(length / LONG) / math.log(GRID) + 1e-9)
    return min(math.ceil(LONG * GRID**steps), length)


def _begin_of_last_stretch(holds_backwards: Iterable[bool]) -> int:
    """Return the index, from the end, at which the last stretch begins in which no two values on end fail."""
    begin, failed = -1, False
    for at, holds in enumerate(holds_backwards, start=1):
        if failed and not holds:
            break
        begin, failed = -at if holds else begin, not holds
    return begin
