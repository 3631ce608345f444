"""What stability.refuse carries from step to step: the states that a refusal returns to, and the refusals so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from tvo_cli.stability.lyapunov_condition import ConditionReading, LyapunovCondition
from tvo_cli.training.step_state import StateSnapshot

NOT_READ = ConditionReading(None, 0.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the updates of a step in progress were taken back: which test, and what it read."""

    step: int  # whose update was taken back, the last of them
    test: str  # "batch": F rose in one update; "drift": in a row of them
    value: float
    threshold: float
    before: float  # F of what the batch was compared with, in units of reward
    after: float  # F of the batch
    updates: int  # rollout batches whose updates were taken back


@dataclass(slots=True)
class RefusalState:
    """What stability.refuse carries from step to step (training/refused_updates.py)."""

    condition: LyapunovCondition = field(default_factory=LyapunovCondition)
    trusted: StateSnapshot | None = None  # before the last update; None: there is none that could be taken back
    anchor: StateSnapshot | None = None  # the newest in which nothing spoke for a slow rise of F
    since_anchor: int = 0  # batches accepted after that
    updated: int = 0  # batches whose updates stand since then, that of the anchor included
    raised: int = 0  # times that ν was raised after that
    reading: ConditionReading = NOT_READ  # of the newest batch
    refusals: list[Refusal] = field(default_factory=list)
