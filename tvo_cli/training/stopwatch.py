"""The stopwatch of a step: seconds by part."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stopwatch:
    """Seconds by part of a step; a part may be timed several times, and a stopped step goes on."""

    parts: dict[str, float] = field(default_factory=dict)
    before: float = 0.0  # seconds of this step in earlier processes
    start: float = field(init=False, default_factory=time.perf_counter)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Time a part; what is timed twice adds up."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.parts[part] = self.parts.get(part, 0.0) + time.perf_counter() - begun

    def pause(self) -> None:
        """Put the seconds so far where a checkpoint keeps them."""
        now = time.perf_counter()
        self.before, self.start = self.before + now - self.start, now

    def metrics(self, tokens: int) -> dict[str, float]:
        """time/* in seconds, and response tokens a second of the whole step."""
        total = self.before + time.perf_counter() - self.start
        parts = {f"time/{part}": seconds for part, seconds in self.parts.items()}
        return parts | {"time/step": total, "time/tokens_per_second": tokens / total}
