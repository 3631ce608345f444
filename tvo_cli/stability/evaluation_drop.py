"""The collapse rule of evaluations, EvaluationDrop: one that is surely below a share of the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric


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
