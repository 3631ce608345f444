"""The base classes of collapse rules, CollapseRule and LimitRule: breaches, firings, patience, state.

A rule is breached while its condition holds, and fires from the `patience`-th breach in a row on, so that one
noisy batch is not an alarm. Its thresholds live in conf/stability, with the reasons. `severity` says what a
firing means: "collapse" (act as stability.on_collapse says) or "warning" (tell, and go on). A metric that is
missing or not finite tells nothing, except to `NonFinite`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

from tvo_cli.stability.whole_log import WholeLog


@dataclass(frozen=True, slots=True)
class RuleFiring:
    """A rule that fires: where it stood, and where the line was."""

    rule: str
    step: int
    metric: str
    value: float
    threshold: float
    severity: str  # "collapse" or "warning"
    message: str
    over: int = 1  # the steps that the value is a mean of, about


class RuleBreach(NamedTuple):
    """A condition that holds at one step."""

    metric: str
    value: float
    threshold: float
    reason: str
    over: int = 1  # the steps that the value is a mean of, about: of an exponential average 1 + α over 1 − α


@dataclass(kw_only=True)
class CollapseRule(ABC):
    """Counts breaches in a row; a subclass says what a breach is. Every field without init is its state."""

    reads_evaluations: ClassVar[bool] = False  # True: it is shown evaluations, and no steps
    reads_refused: ClassVar[bool] = False  # True: of a refused batch's step it is shown evaluation and count too
    severity: str
    patience: int
    streak: int = field(default=0, init=False)
    wary: bool = field(default=False, init=False)

    @abstractmethod
    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """What is wrong with this step, if anything; called once a step, in order."""

    def check(self, step: int, metrics: Mapping[str, float]) -> RuleFiring | None:
        """A firing at this step and at every further one while the breach lasts."""
        found = self.lasting_breach(metrics)
        return None if found is None else self.firing(step, found)

    def is_silent(self, log: WholeLog) -> bool:
        """Whether its columns tell that no step of a finished log breaches it; False: only the steps can tell."""
        return False

    def lasting_breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """The breach of this step where it is at least the `patience`-th in a row."""
        return self.count(self.breach(metrics))

    def count(self, found: RuleBreach | None) -> RuleBreach | None:
        """Count a step that was a breach or none; the breach, where it is at least the `patience`-th in a row."""
        if found is None:
            self.streak = 0
            return None
        self.streak += 1
        return found if self.streak >= self.patience else None

    def firing(self, step: int, breach: RuleBreach) -> RuleFiring:
        """What a breach that lasts is told as."""
        metric, value, threshold, reason, over = breach
        mean = f", the mean of about {over} steps" if over > 1 else ""
        message = f"{metric} = {value:.4g}{mean}: {reason} (limit {threshold:.4g}, {self.streak} steps in a row)"
        return RuleFiring(type(self).__name__, step, metric, value, threshold, self.severity, message, over)

    @property
    def waits_for(self) -> str:
        """A metric before whose first value no step tells the rule anything; empty: it reads several."""
        return ""

    def follow_evaluation(self, metrics: Mapping[str, float]) -> None:  # noqa: B027 - most rules need none
        """Take note of an evaluation between two steps, for a rule that reads steps and weighs them by it."""

    @property
    def fires(self) -> bool:
        """Whether the step before fired: what is then told at a first firing need not be worked out again."""
        return self.streak >= self.patience

    @property
    def suspicious(self) -> bool:
        """Whether the latest step was a breach, or so far on the way to one that it is no state to return to."""
        return self.wary or self.streak > 0

    def state_dict(self) -> dict[str, Any]:
        """All that is carried between steps: numbers, None, lists of numbers."""
        state = {f.name: getattr(self, f.name) for f in fields(self) if not f.init}
        return {name: list(value) if isinstance(value, list) else value for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        for f in fields(self):
            if not f.init:
                value = state[f.name]
                setattr(self, f.name, list(value) if isinstance(value, list) else value)


@dataclass(kw_only=True)
class LimitRule(CollapseRule):
    """Base of the rules of one metric that are breached above a limit only; a subclass says what else that takes."""

    metric: str
    limit: float

    @property
    def waits_for(self) -> str:
        """It reads nothing else."""
        return self.metric

    def is_silent(self, log: WholeLog) -> bool:
        """Never above the limit."""
        return log.never_above(self.metric, self.limit)


def finite_metric(metrics: Mapping[str, float], name: str) -> float | None:
    """The metric; None where it is missing or not finite."""
    value = metrics.get(name)
    return value if value is not None and -math.inf < value < math.inf else None
