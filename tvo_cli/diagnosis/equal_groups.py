"""Groups whose rewards are all equal, all right and all wrong kept apart: they teach nothing, for opposite reasons.

Where a log has only the share z of such groups and the accuracy p, the split is bounded: all-right groups are between
p − (1 − z) and p, for the mixed groups' accuracy is between 0 and 1. The middle is taken; at z near 1 nothing is left
of the interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from operator import sub

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import finite_metric
from tvo_cli.stability.step_accuracy import ACCURACY, HELDOUT, REWARD
from tvo_cli.stability.whole_log import ROUNDING, WholeLog

ZERO, RIGHT, WRONG = "group/zero_advantage", "group/all_right", "group/all_wrong"
FEW_GROUPS = 0.95  # the share of equal groups at which too few teach, where the number of prompts is not known


def equal_groups(metrics: Mapping[str, float]) -> tuple[float, float] | None:
    """Return the shares of groups, all right and all wrong, read or bounded; None where the log does not tell."""
    right = finite_metric(metrics, RIGHT)
    wrong = None if right is None else finite_metric(metrics, WRONG)
    if right is not None and wrong is not None:
        return right, wrong
    share, level = finite_metric(metrics, ZERO), finite_metric(metrics, ACCURACY)
    if level is None:
        reward = finite_metric(metrics, REWARD)
        level = reward if reward is not None and 0.0 <= reward <= 1.0 else None
    if share is None or level is None:
        return None
    right = min(max(level - (1.0 - share) / 2.0, 0.0), share)
    return right, share - right


def equal_share(metrics: Mapping[str, float]) -> float | None:
    """Return the share of groups that teach nothing; None where the log does not tell."""
    found = equal_groups(metrics)
    return None if found is None else found[0] + found[1]


def largest_mean(values: Sequence[float], window: int) -> float:
    """Return the largest mean that the share of equal groups has over so many steps on end; −∞ of fewer."""
    sums = list(accumulate(values, initial=0.0))
    return max(map(sub, sums[window:], sums), default=-math.inf) / window


@dataclass(kw_only=True)
class EqualGroupsRule(TrendRule):
    """Fewer than `least` groups a step teach, over a window; a subclass says which kind and when that is healthy."""

    least: float  # groups a step
    window: int
    prompts: int | None = None  # P, a step
    equal: Curve = field(default_factory=Curve, init=False)  # share of groups that teach nothing
    right: Curve = field(default_factory=Curve, init=False)  # share of groups that are all right
    begun: int | None = field(default=None, init=False)  # the step since which it is at `limit`, but for single ones
    below: int = field(default=0, init=False)  # steps on end at which it is not
    told: int = field(default=0, init=False)  # values of `equal` that both are told of
    heldout: Curve = field(default_factory=Curve, init=False)

    def follow(self, metrics: Mapping[str, float]) -> bool:
        """Take a step; return whether too few groups teach over the window."""
        self.heldout.append_metric(metrics, HELDOUT)
        found = equal_groups(metrics)
        if found is None:
            return False
        step = int(metrics["step"])
        self.equal.append(step, found[0] + found[1])
        self.right.append(step, found[0])
        end = len(self.equal.values)
        return end >= self.window and self.equal.mean(end - self.window, end) >= self.limit

    def is_silent(self, log: WholeLog) -> bool:
        """Never so few groups teach, over a window."""
        return largest_mean(log.reading(equal_share), self.window) < self.limit * (1.0 - ROUNDING)

    @property
    def equal_since(self) -> int:
        """The step since which fewer than `least` groups teach, but for single steps; the last one if none does.

        As `Curve.above_since` of the limit, from where it was told last: it ends where two steps on end are below.
        """
        limit = self.limit - 1e-9
        for at in range(self.told, len(self.equal)):
            if self.equal.values[at] > limit:
                self.begun = self.equal.steps[at] if self.begun is None else self.begun
                self.below = 0
            else:
                self.below += 1
                self.begun = self.begun if self.below < 2 else None
        self.told = len(self.equal)
        return self.equal.steps[-1] if self.begun is None else self.begun

    @cached_property
    def limit(self) -> float:
        """The share of equal groups above which fewer than `least` groups teach."""
        return FEW_GROUPS if self.prompts is None else max(1.0 - self.least / self.prompts, FEW_GROUPS)

    def level(self, curve: Curve) -> float:
        """The mean of the last window."""
        end = len(curve.values)
        return curve.mean(end - self.window, end)
