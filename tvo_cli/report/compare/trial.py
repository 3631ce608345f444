"""One run as a comparison sees it: finished or not, by whichever tool."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tvo_cli.report.runs import Run

FINISHED, FAILED, UNFINISHED = "finished", "failed", "unfinished"
RATE = "optimizer.lr"


@dataclass(frozen=True, slots=True)
class Trial:
    """A run with its flat settings and what became of it."""

    name: str  # its path below what was given
    source: str  # the path it was found under
    run: Run
    settings: Mapping[str, Any]  # dotted key → scalar, or the text of a list
    state: str  # FINISHED, FAILED, UNFINISHED
    why: str = ""  # what is known of a run that did not finish

    @property
    def seed(self) -> str:
        """The seed as text; `?` where none is known."""
        return str(self.settings.get("seed", "?"))

    @property
    def rate(self) -> float | None:
        """The learning rate."""
        value = self.settings.get(RATE)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def watched(self) -> bool:
        """Whether anything looked for a collapse."""
        return bool(self.run.collapse)

    @property
    def collapsed_at(self) -> int | None:
        """The step at which a collapse rule fired, if one did."""
        if self.run.collapse.get("verdict") != "collapsed":
            return None
        at = self.run.collapse.get("collapsed_at")
        return int(at) if isinstance(at, int | float) else self.last_step

    @property
    def last_step(self) -> int:
        """The last step that was recorded."""
        return max((int(row["step"]) for row in self.run.steps), default=0)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, of whichever kind of row it is."""
        steps, values = self.run.curve(name)
        return (steps, values) if steps else self.run.curve(name, evaluations=True)

    def has(self, name: str) -> bool:
        """Whether a finite value of the metric was recorded."""
        return any(math.isfinite(value) for value in self.curve(name)[1])

    def with_settings(self, more: Mapping[str, Any]) -> Trial:
        """The same with further settings."""
        return replace(self, settings={**self.settings, **more})
