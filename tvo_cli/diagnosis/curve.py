"""A curve that grows by a value a step, with means and noise of any stretch of it at a constant cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tvo_cli.stability.solved_task import ABSOLUTE_DIFFERENCE


class Curve:
    """The values of a metric so far: prefix sums of them and of their successive absolute differences.

    The noise σ of a value comes from successive differences (von Neumann, 1941), which a slow trend hardly moves.
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.values: list[float] = []
        self._sums, self._differences = [0.0], [0.0]

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
        if self.values:
            self._differences.append(self._differences[-1] + abs(value - self.values[-1]))
        self.steps.append(step)
        self.values.append(value)
        self._sums.append(self._sums[-1] + value)

    def spacing(self) -> float:
        """Return the steps from one value to the next, on average: a trainer may log every tenth."""
        count = len(self.steps) - 1
        return (self.steps[-1] - self.steps[0]) / count if count > 0 and self.steps[-1] > self.steps[0] else 1.0

    def mean(self, first: int, end: int) -> float:
        """Return the mean of values[first:end]."""
        return (self._sums[end] - self._sums[first]) / (end - first)

    def noise(self, first: int, end: int) -> float:
        """Return σ of one value, from the differences inside values[first:end]."""
        if end - first < 2:
            return 0.0
        return ABSOLUTE_DIFFERENCE * (self._differences[end - 1] - self._differences[first]) / (end - first - 1)

    def change(self, window: int, least_noise: float = 0.0, first: int = 0) -> tuple[float, float]:
        """Return how much the mean of the last window lies above that of the one at `first`, and its standard error.

        The noise is that of both windows and at least `least_noise`; (0, inf) while there are not two windows.
        """
        end = len(self)
        if end - first < 2 * window:
            return 0.0, math.inf
        before, after = self.mean(first, first + window), self.mean(end - window, end)
        variances = (self.noise(first, first + window) ** 2 + self.noise(end - window, end) ** 2) / 2.0
        noise = max(math.sqrt(variances), least_noise)
        return after - before, noise * math.sqrt(2.0 / window)
