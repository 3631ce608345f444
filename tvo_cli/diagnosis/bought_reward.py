"""Rewards that rise while the answers do not get better: what rose beside them is what they were bought with."""

from __future__ import annotations

import statistics
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import RuleBreach
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD, share_standard_error

LATE = 0.1  # share of the run so far whose mean is where a curve stands now
TOGETHER = 0.7  # correlation from which two curves moved together: half of the variance
STRETCHES = 10  # of a run, over whose means the correlation is taken


@dataclass(kw_only=True)
class BoughtReward(TrendRule):
    """From the first window to the last steps reward rose, accuracy did not, a currency moved with it, and that lasted.

    Reward rose: by `errors` standard errors and by `rise` of the reward's range. Accuracy did not: its rise is below
    one standard error, or below a quarter of what reward rose. A subclass says what the currency is. It lasted: for
    `lasting` of the steps that were asked for, or of those so far. What is easiest is learnt first, a form before the
    answers (arXiv:2501.12948); a reward is bought where the answers do not follow.
    """

    errors: float
    rise: float
    window: int
    lasting: float
    planned: int | None = None
    responses: int | None = None
    reward: Curve = field(default_factory=Curve, init=False)
    success: Curve = field(default_factory=Curve, init=False)
    begun: int | None = field(default=None, init=False)  # the first step of the streak in which all but time holds

    @abstractmethod
    def currency(self, metrics: Mapping[str, float]) -> Curve | None:
        """Take a step; return the curve of what has moved, None where nothing has."""

    @abstractmethod
    def price(self) -> str:
        """What has moved, in words."""

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Bought."""
        value = self.reward.append_metric(metrics, REWARD)
        self.success.append_metric(metrics, ACCURACY)
        currency = self.currency(metrics)
        if value is None or currency is None or len(self.success) < 2 * self.window or not self._bought(currency):
            self.begun = None
            return None
        step = self.reward.steps[-1]
        self.begun = step if self.begun is None else self.begun
        if step - self.begun < self.lasting * (self.planned or step):
            return None
        return self._told()

    def _bought(self, currency: Curve) -> bool:
        late = self.late(self.reward)
        if self.reward.gain(self.window, late) < 0.0:
            return False
        rise, error = self.reward.change(self.window, last=late)
        if rise < self.errors * error or rise < self.rise * self._range() or not self._flat(rise):
            return False
        return moved_together(self.reward, currency)

    def _told(self) -> RuleBreach:
        rise, _ = self.reward.change(self.window, last=self.late(self.reward))
        gained, _ = self.success.change(self.window, last=self.late(self.success))
        start = self.reward.mean(0, self.window)
        if not self.fires:
            self.since = self.reward.steps[_first_above(self.reward, start + rise / 2.0)]
        reason = f"has risen from {start:.3g}, accuracy by {gained:+.3f}, while {self.price()}"
        return RuleBreach(REWARD, start + rise, start, reason, over=self.late(self.reward))

    def late(self, curve: Curve) -> int:
        """How many values the last window has: a share of the run, so that a long run is judged by many."""
        return max(self.window, int(LATE * len(curve)))

    def _flat(self, rise: float) -> bool:
        level = self.success.mean(0, self.window)
        noise = share_standard_error(level, self.responses)
        gained, error = self.success.change(self.window, noise, last=self.late(self.success))
        return gained < max(error, 0.25 * min(rise, 1.0))

    def _range(self) -> float:
        return max(abs(value) for value in (self.reward.mean(0, self.window), *self.reward.values[-self.window :]))


def moved_together(one: Curve, other: Curve) -> bool:
    """Whether the means of the same stretches of two curves have a correlation of TOGETHER, in size."""
    count = min(len(one), len(other))
    if count < 2 * STRETCHES:
        return True  # too few to tell
    edges = [count * at // STRETCHES for at in range(STRETCHES + 1)]
    means = [[curve.mean(low, high) for low, high in pairwise(edges)] for curve in (one, other)]
    return abs(correlation_of(*means)) >= TOGETHER


def correlation_of(one: list[float], other: list[float]) -> float:
    """Return Pearson's correlation, 0 where a side does not vary."""
    try:
        return statistics.correlation(one, other)
    except statistics.StatisticsError:
        return 0.0


def _first_above(curve: Curve, level: float) -> int:
    """Return the index of the first value from which on the rewards bought all lie above a level, or the last."""
    at = len(curve) - 1
    while at > 0 and curve.values[at - 1] > level:
        at -= 1
    return at
