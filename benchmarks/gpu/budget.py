"""The minutes that a start may take, shared out to its parts."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.harness.benchmark import Unfinished

RESERVE = 8.0  # seconds for what comes after the parts: ending the last one, writing, the table
LEAST = 5.0  # seconds below which no part is begun


class Budget:
    """What is left of a start's time."""

    def __init__(self, minutes: float, begun: float | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """`begun` is when the start began by `now`; None: now."""
        self._now = now
        self._end = (now() if begun is None else begun) + 60.0 * minutes - RESERVE

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - self._now()

    def grant(self, cap: float) -> float:
        """Seconds for a part whose own limit is `cap`; Unfinished where hardly any are left."""
        if self.left < LEAST:
            raise Unfinished("the minutes of this start are over")
        return min(cap, self.left)
