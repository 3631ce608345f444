"""Rewards that rise while the answers do not get better: what rose beside them is what they were bought with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.trend_rule import TrendRule, append_metric
from tvo_cli.stability.rule_interface import RuleBreach
from tvo_cli.stability.solved_task import ACCURACY, REWARD, share_standard_error


@dataclass(kw_only=True)
class BoughtReward(TrendRule):
    """Between the first window and the last, reward rose, accuracy did not, and a currency moved.

    Reward rose: by `errors` standard errors and by `rise` of the reward's range. Accuracy did not: its rise is below
    one standard error, or below a quarter of what reward rose. A subclass says what the currency is.
    """

    errors: float
    rise: float
    window: int
    responses: int | None = None
    reward: Curve = field(default_factory=Curve, init=False)
    success: Curve = field(default_factory=Curve, init=False)

    @abstractmethod
    def paid(self, metrics: Mapping[str, float]) -> str:
        """What moved, in words; empty where nothing did."""

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Bought."""
        value = append_metric(self.reward, metrics, REWARD)
        append_metric(self.success, metrics, ACCURACY)
        paid = self.paid(metrics)
        if value is None or not paid or len(self.success) < 2 * self.window:
            return None
        rise, error = self.reward.change(self.window)
        if rise < self.errors * error or rise < self.rise * self._range() or not self._flat(rise):
            return None
        start = self.reward.mean(0, self.window)
        self.since = self.reward.steps[_first_above(self.reward, start + rise / 2.0)]
        gained, _ = self.success.change(self.window)
        reason = f"has risen from {start:.3g}, accuracy by {gained:+.3f}, while {paid}"
        return RuleBreach(REWARD, start + rise, start, reason)

    def _flat(self, rise: float) -> bool:
        level = self.success.mean(0, self.window)
        gained, error = self.success.change(self.window, share_standard_error(level, self.responses))
        return gained < max(error, 0.25 * min(rise, 1.0))

    def _range(self) -> float:
        return max(abs(value) for value in (self.reward.mean(0, self.window), *self.reward.values[-self.window :]))


def _first_above(curve: Curve, level: float) -> int:
    """Return the index of the first value from which on all lie above a level, or of the last value."""
    at = len(curve) - 1
    while at > 0 and curve.values[at - 1] > level:
        at -= 1
    return at
