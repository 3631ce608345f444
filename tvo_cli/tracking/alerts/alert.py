"""An alert: what is told to people, and when the same rule may be told again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

SEVERITIES = ("warning", "collapse")


@dataclass(frozen=True, slots=True)
class Alert:
    """What happened to a run, in words and by name."""

    rule: str
    severity: str  # of SEVERITIES
    step: int
    text: str
    run: str
    folder: str
    repeated: int = 0  # alerts of this rule that were held back since the last one

    @property
    def title(self) -> str:
        """One line: rule, step and run."""
        return f"{self.rule} at step {self.step} of {self.run}"

    @property
    def message(self) -> str:
        """The whole text, as a person reads it."""
        more = f"\n{self.repeated} more of this rule since the last message." if self.repeated else ""
        return f"{self.title} ({self.severity})\n{self.text}{more}\n{self.folder}"

    def as_record(self) -> dict[str, Any]:
        """The same for a program: all fields and the title."""
        return {"title": self.title, **asdict(self)}


class AlertCooldown:
    """When an alert of the same rule may be told again: long enough after its last; those held back are counted."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._told: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def passes(self, rule: str) -> bool:
        """Whether an alert of the rule is told now."""
        now = self._clock()
        if rule in self._told and now - self._told[rule] < self._seconds:
            self._held[rule] = self._held.get(rule, 0) + 1
            return False
        self._told[rule] = now
        return True

    def held_back(self, rule: str) -> int:
        """How many were held back since the last one that passed; they are counted anew from here."""
        return self._held.pop(rule, 0)
