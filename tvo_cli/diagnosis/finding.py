"""What a diagnosis finds: a failure with its severity, its first step, evidence in numbers, cost and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

WARNING, CRITICAL = "warning", "critical"
SEVERITIES = (WARNING, CRITICAL)  # in rising order


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to change: why, and the overrides or the command to paste."""

    text: str
    overrides: tuple[str, ...] = ()  # KEY=VALUE in the keys of the trainer that wrote the log
    command: str = ""  # a whole command line, where there is one


@dataclass(frozen=True, slots=True)
class Cost:
    """What a finding's failure has cost since its first step; None where the log does not tell."""

    steps: int
    rollouts: float | None = None  # responses sampled
    tokens: float | None = None  # response tokens
    hours: float | None = None
    share: float | None = None  # of the steps that were asked for, or recorded


@dataclass(frozen=True, slots=True)
class Finding:
    """A failure that a log shows."""

    failure: str  # the name in diagnosis/registry.py
    severity: str  # WARNING or CRITICAL
    first_step: int  # since when: the first step at which its condition held
    alarm_step: int  # when a live monitor says so: after the rule's patience
    last_step: int  # the last step at which it held
    active: bool  # whether it held at the last step of the log
    metric: str  # the reading that shows it
    message: str  # one line with its numbers
    evidence: Mapping[str, float] = field(default_factory=dict)  # value, threshold, start, last …
    cost: Cost | None = None
    remedies: tuple[Remedy, ...] = ()
    was_critical: bool = False  # a critical one whose condition ended so long ago that it is a warning now


def worst_finding_first(finding: Finding) -> tuple[int, bool, bool, int]:
    """The order of findings: the most severe, what was, what is there now, the earliest."""
    return -SEVERITIES.index(finding.severity), not finding.was_critical, not finding.active, finding.first_step
