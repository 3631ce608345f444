"""A finished log by its columns: what tells at once that a rule cannot be breached at any of its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

ROUNDING = 1e-9  # relative: a mean of values may lie outside of them by so much

Metrics = Mapping[str, float]


class WholeLog:
    """The rows of a finished log, and the finite values of each column, found when they are first asked for."""

    def __init__(self, rows: Sequence[Metrics]) -> None:
        self.rows = rows
        self.names = frozenset[str]().union(*rows)
        self._columns: dict[str, list[float]] = {}
        self._readings: dict[Callable[[Metrics], float | None], list[float]] = {}

    def column(self, name: str) -> list[float]:
        """The finite values of a metric, in order."""
        if name not in self._columns:
            found = [row[name] for row in self.rows if name in row] if name in self.names else []
            self._columns[name] = found if math.isfinite(sum(found)) else [one for one in found if math.isfinite(one)]
        return self._columns[name]

    def reading(self, read: Callable[[Metrics], float | None]) -> list[float]:
        """What a function reads of the rows, in order, where it reads anything."""
        if read not in self._readings:
            self._readings[read] = [one for row in self.rows if (one := read(row)) is not None]
        return self._readings[read]

    def never_above(self, name: str, limit: float) -> bool:
        """Whether no value of a metric, nor a mean of its values, is above a limit."""
        return max(self.column(name), default=-math.inf) <= limit - ROUNDING * abs(limit)

    def never_below(self, name: str, limit: float) -> bool:
        """Whether no value of a metric, nor a mean of its values, is below a limit."""
        return min(self.column(name), default=math.inf) >= limit + ROUNDING * abs(limit)
