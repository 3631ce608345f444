"""The collapse rule of noise, EntropyRise: a policy that is lost in its first step and never recovers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tvo_cli.stability.exponential_average import exponential_average, steps_of_average
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric

ACCURACY = "accuracy/fresh"


@dataclass(kw_only=True)
class EntropyRise(CollapseRule):
    """Entropy a token that rises out of all proportion to the start while the accuracy falls: the policy becomes noise.

    Breached where the smoothed entropy is above max(rise · start, absolute) and the smoothed accuracy below share times
    the best so far. Both are of the policy that sampled, so the first step reads the start itself, whatever its update
    does: entropy is `metric`, nats a response, over `per`, tokens a response. An entropy that rises while the accuracy
    does not fall is exploration.
    """

    metric: str
    per: str
    rise: float
    absolute: float
    share: float
    smoothing: float
    start: float | None = field(default=None, init=False)
    smoothed: float | None = field(default=None, init=False)
    accuracy: float | None = field(default=None, init=False)
    best: float = field(default=0.0, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above the one threshold and below the other."""
        whole, length, accuracy = (finite_metric(metrics, name) for name in (self.metric, self.per, ACCURACY))
        if whole is None or not length or accuracy is None:
            return None
        value = whole / length
        self.start = value if self.start is None else self.start
        self.smoothed = exponential_average(self.smoothed, value, self.smoothing)
        self.accuracy = exponential_average(self.accuracy, accuracy, self.smoothing)
        self.best = max(self.best, self.accuracy)
        return self._beyond(value, self.smoothed, self.accuracy, self.start)

    def _beyond(self, value: float, smoothed: float, accuracy: float, start: float) -> RuleBreach | None:
        threshold = max(self.rise * start, self.absolute)
        falls = self.best > 0.0 and accuracy < self.share * self.best
        self.wary = falls and value > math.sqrt(start * threshold)
        if not falls or smoothed <= threshold:
            return None
        reason = (
            f"has risen from {start:.3g} nats a token, while the accuracy fell from {self.best:.3g} to {accuracy:.3g}"
        )
        over = steps_of_average(self.smoothing)
        return RuleBreach(f"{self.metric} / {self.per}", smoothed, threshold, reason, over)
