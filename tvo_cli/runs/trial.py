"""A trial: one run as a comparison sees it, finished or not, by whichever tool."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tvo_cli.report.run_folder_reading import LoadedRun

FINISHED, FAILED, UNFINISHED = "finished", "failed", "unfinished"
RATE = "optimizer.lr"
DIGITS = 6  # of a rate that count: 0.001, 0.0010000000000000002 and a float32's 0.0010000000475 are one
UNKNOWN_SEED = "?"  # and the run's name: two runs of unknown seeds are two runs, not a repeat


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial: a run with its flat settings and its state."""

    name: str  # its path below what was given
    source: str  # the path it was found under
    run: LoadedRun
    settings: Mapping[str, Any]  # dotted key → scalar, or the text of a list
    state: str  # FINISHED, FAILED, UNFINISHED
    why: str = ""  # what is known of a run that did not finish
    tool: str = ""  # the trainer that wrote it; none: this one
    planned: int | None = None  # steps that were asked for

    @property
    def seed(self) -> str:
        """The seed as text; where none is known, `?` and the run's name."""
        return str(self.settings.get("seed", f"{UNKNOWN_SEED}{self.name}"))

    @property
    def rate(self) -> float | None:
        """The learning rate, to so many DIGITS; None where it is not a number above 0."""
        found = finite_number_of(self.settings.get(RATE))
        return float(f"{found:.{DIGITS}g}") if found is not None and found > 0 else None

    @property
    def watched(self) -> bool:
        """Whether any rule looked for a collapse; a verdict that does not name its rules is taken for one of some."""
        return bool(self.run.collapse) and bool(self.run.collapse.get("rules", True))

    @property
    def collapsed_at(self) -> int | None:
        """The step at which a collapse rule fired first, if one did: whether the run then went on, was stopped or
        was rolled back."""
        at = self.run.collapse.get("collapsed_at")
        if isinstance(at, int | float):
            return int(at)
        return self.last_step if self.run.collapse.get("verdict") == "collapsed" else None

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


def finite_number_of(value: Any) -> float | None:
    """Return a setting or a logged value as a finite number, also of a text (PyYAML reads 1e-3 as one); else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
