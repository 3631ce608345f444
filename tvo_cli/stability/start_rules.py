"""Collapse rules that compare a run with its start: for a policy that is lost in its first step and never recovers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

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


@dataclass(kw_only=True)
class EvaluationDrop(CollapseRule):
    """An evaluation whose upper bound lies below a share of the best one so far, the one before step 1 included.

    Evaluations are compared with evaluations of the same test set alone: fresh accuracy is that of other problems,
    mostly at another temperature. `metric` is what the best is taken of, `bound` the upper end of its interval, so that
    no interval of few problems is taken for a fall. It looks at evaluations only, and keeps what it found between them.
    """

    reads_evaluations: ClassVar[bool] = True

    metric: str
    bound: str
    share: float
    minimum_peak: float
    peak: float = field(default=-math.inf, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Surely below share · peak."""
        value, bound = finite_metric(metrics, self.metric), finite_metric(metrics, self.bound)
        if value is None or bound is None:
            return None
        self.peak = max(self.peak, value)
        if self.peak < self.minimum_peak or bound >= self.share * self.peak:
            return None
        return RuleBreach(self.bound, bound, self.share * self.peak, f"has fallen from a peak of {self.peak:.4g}")

    def state_dict(self) -> dict[str, Any]:
        """The peak is None before the first value: JSON knows no infinity."""
        return super().state_dict() | {"peak": None if math.isinf(self.peak) else self.peak}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        super().load_state_dict({**state, "peak": -math.inf if state["peak"] is None else state["peak"]})
