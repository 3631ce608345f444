"""A training log: rows of metrics under our names, whichever trainer wrote them, and what is known of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, float]  # "step", and metrics by their names in tracking/metric_names.py

REFUSED = "stability/refused"  # updates that stability.refuse has taken back so far
LARGEST = 1e100  # of a value: squares of it and sums over a run stay finite, and nobody can tell what is larger
TVO, TRL, VERL, PRIME, OTHER = "tvo", "trl", "verl", "prime-rl", "other"


def bounded_row(row: Row) -> Row:
    """Return a row whose finite values are none larger than LARGEST; infinities and NaN stay what they are."""
    try:
        if math.hypot(*row.values()) <= LARGEST:
            return row
    except OverflowError:  # a whole number that no float holds
        pass
    return {name: value if name == "step" else _bounded(value) for name, value in row.items()}


def _bounded(value: float) -> float:
    infinite = value in (math.inf, -math.inf)
    return value if infinite or value != value else min(max(value, -LARGEST), LARGEST)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a training log's run besides its metrics; None where it is not known."""

    name: str = ""
    tool: str = OTHER  # whose keys the remedies name
    folder: Path | None = None  # of a run of ours: checkpoints, responses and recorded steps
    planned: int | None = None  # steps that were asked for
    prompts: int | None = None  # P, a step
    samples: int | None = None  # G, responses a prompt
    settings: Mapping[str, Any] = field(default_factory=dict)  # dotted keys of ours → values

    @property
    def gradient_clip(self) -> float | None:
        """The norm that gradients are cut to; None where they are not, or nobody knows."""
        found = self.settings.get("optimizer.clip_norm")
        return float(found) if isinstance(found, int | float) and found > 0 else None

    @property
    def responses(self) -> int | None:
        """N = P·G, responses a step."""
        return None if self.prompts is None or self.samples is None else self.prompts * self.samples


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The rows of a run, one a step, evaluations merged into the step at which they were made."""

    facts: RunFacts
    rows: Sequence[Row]
    notes: tuple[str, ...] = ()  # what the reader left out or took for granted

    def column(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, where it was recorded."""
        found = [(int(row["step"]), float(row[name])) for row in self.rows if name in row]
        return [step for step, _ in found], [value for _, value in found]

    @property
    def columns(self) -> frozenset[str]:
        """The names of all metrics that were recorded at least once."""
        return frozenset(name for row in self.rows for name in row if name != "step")

    @property
    def last_step(self) -> int:
        """The last step; 0 of an empty log."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    @property
    def budget(self) -> int:
        """The steps that were asked for; those of the log where nobody knows, or where a resume asked for fewer."""
        return max(self.facts.planned or 0, self.last_step)
