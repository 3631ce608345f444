"""Where the time of a step goes: functions are wrapped from outside, so that what is measured is what ships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.measuring import CLOCKS


class Parts:
    """Accumulated seconds by name, and rows of them."""

    def __init__(self, clock: str) -> None:
        self.now = CLOCKS[clock]
        self.seconds: dict[str, float] = {}
        self.rows: list[dict[str, float]] = []
        self._begun = self.now()

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time added to `name`."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            begun = self.now()
            try:
                return function(*arguments, **keywords)
            finally:
                self.add(name, self.now() - begun)

        return timed

    def add(self, name: str, seconds: float) -> None:
        """To a part of the step under way."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def begin(self) -> None:
        """Forget what was before: the next step begins now."""
        self.seconds, self._begun = {}, self.now()

    def end_step(self, **more: float) -> None:
        """A step is over; the next begins."""
        now = self.now()
        self.rows.append(self.seconds | {"step": now - self._begun} | more)
        self.seconds, self._begun = {}, now
