"""Where the seconds of a step went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds by part of a step."""

    def __init__(self) -> None:
        self._start, self._parts = time.perf_counter(), dict[str, float]()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Time a part; what is timed twice adds up."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._parts[part] = self._parts.get(part, 0.0) + time.perf_counter() - begun

    def metrics(self, tokens: int) -> dict[str, float]:
        """time/* in seconds, and response tokens a second of the whole step."""
        total = time.perf_counter() - self._start
        parts = {f"time/{part}": seconds for part, seconds in self._parts.items()}
        return parts | {"time/step": total, "time/tokens_per_second": tokens / total}
