"""Trend rules: rules over many steps that keep whole curves, and say since when their condition has held."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.solved_task import SOLVED, is_solved
from tvo_cli.stability.step_accuracy import HELDOUT, accuracy_of_step


@dataclass(kw_only=True)
class TrendRule(CollapseRule):
    """A rule over many steps: it knows since when its condition has held, which may be before its first breach."""

    since: int | None = field(default=None, init=False)

    @abstractmethod
    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """What is wrong with this step, if anything; may set `since`."""

    def state_dict(self) -> dict[str, Any]:
        """As of any rule; a curve as its steps and values."""
        state = super().state_dict()
        return {name: value.state_dict() if isinstance(value, Curve) else value for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        plain = {
            name: Curve.of(**value) if isinstance(getattr(self, name), Curve) else value
            for name, value in state.items()
        }
        super().load_state_dict(plain)


@dataclass(kw_only=True)
class UnsolvedTrendRule(TrendRule):
    """A trend rule that is excused on a solved task: it follows the accuracy and the held-out accuracy."""

    responses: int | None = None  # N, a step; for the error of an accuracy
    solved: float = SOLVED
    success: Curve = field(default_factory=Curve, init=False)  # the accuracy
    heldout: Curve = field(default_factory=Curve, init=False)

    def follow(self, metrics: Mapping[str, float]) -> None:
        """Take the accuracies of a step."""
        accuracy = accuracy_of_step(metrics)
        if accuracy is not None:
            self.success.append(int(metrics["step"]), accuracy)
        if HELDOUT in metrics:
            self.heldout.append_metric(metrics, HELDOUT)

    def is_solved(self) -> bool:
        """Whether the last steps' accuracy, within its error, or the latest held-out one is that of a solved task."""
        heldout = self.heldout.values[-1] if self.heldout.values else None
        return is_solved(self.success.values, self.responses, heldout, self.solved)
