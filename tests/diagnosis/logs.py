"""Logs made by hand: columns over steps, and the names of the failures that a diagnosis finds in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tvo_cli.diagnosis.diagnosis import Diagnosis, diagnose
from tvo_cli.diagnosis.finding import Finding
from tvo_cli.diagnosis.registry import BY_NAME
from tvo_cli.diagnosis.training_log import RunFacts, TrainingLog

Column = Sequence[float | None]
FACTS: dict[str, Any] = {"name": "run", "prompts": 16, "samples": 8}


def log_of(columns: dict[str, Column], every: int = 1, **facts: Any) -> TrainingLog:
    """A log with these columns, a row every so many steps; None where a row has no value."""
    steps = range(max(map(len, columns.values())))
    rows = [
        {
            "step": (at + 1) * every,
            **{n: v for n, values in columns.items() if at < len(values) and (v := values[at]) is not None},
        }
        for at in steps
    ]
    return TrainingLog(RunFacts(**{**FACTS, **facts}), rows)


def found_in(failure: str, columns: dict[str, Column], every: int = 1, **facts: Any) -> Finding | None:
    """What the rules of one failure find in such a log, while all the others are switched off."""
    findings = diagnose(log_of(columns, every, **facts), [BY_NAME[failure]]).findings
    return findings[0] if findings else None


def diagnosed(columns: dict[str, Column], **facts: Any) -> Diagnosis:
    """The whole diagnosis of such a log."""
    return diagnose(log_of(columns, **facts))


def noisy(values: Sequence[float], sd: float = 0.03, seed: int = 0) -> list[float]:
    """Values with noise, the same each time."""
    rng = random.Random(seed)
    return [value + rng.gauss(0.0, sd) for value in values]


def line(start: float, end: float, steps: int) -> list[float]:
    """A straight line."""
    return [start + (end - start) * at / (steps - 1) for at in range(steps)]


def evaluations(steps: int, at: dict[int, float]) -> list[float | None]:
    """A column that has values at some steps only."""
    return [at.get(step) for step in range(1, steps + 1)]
