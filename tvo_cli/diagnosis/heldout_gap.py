"""A gap that opens between the reward of training and the held-out accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule, append_metric, trend_above_since
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric
from tvo_cli.stability.solved_task import HELDOUT, REWARD, heldout_standard_error

EPOCH = "data/epoch"
REPEATED = 2.0  # passes over the data from which its problems count as used up: each has been learnt from before


@dataclass(kw_only=True)
class HeldOutGap(TrendRule):
    """Since some earlier evaluation reward rose by `errors` standard errors, and held-out accuracy did not follow.

    It did not follow: its gain is below `follows` of the reward's gain and below `errors` errors of itself; it falls
    where the loss is more than `errors` errors. The earlier evaluation is that of the best held-out accuracy, or the
    first one.
    """

    reads_refused: ClassVar[bool] = True
    errors: float
    rise: float
    follows: float
    window: int
    falls: bool
    reward: Curve = field(default_factory=Curve, init=False)
    heldout: Curve = field(default_factory=Curve, init=False)
    heldout_errors: list[float] = field(default_factory=list, init=False)
    at: list[int] = field(default_factory=list, init=False)  # length of the reward's curve at each evaluation
    limit: int | None = None  # problems of the data set, where it is finite
    prompts: int | None = None  # P, a step
    fewest: float = 0.0  # passes over the data from which on this is the failure
    most: float = math.inf  # and below which
    epochs: float = field(default=0.0, init=False)
    found: bool = field(default=False, init=False)
    text: str = field(default="", init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Parted, at the latest evaluation."""
        append_metric(self.reward, metrics, REWARD)
        self.epochs = max(self.epochs, passes_over_data(metrics, self.limit, self.prompts))
        if append_metric(self.heldout, metrics, HELDOUT) is not None:
            self.heldout_errors.append(heldout_standard_error(metrics))
            self.at.append(len(self.reward))
            best = max(range(len(self.at)), key=lambda one: self.heldout.values[one])
            self.found = any(self._parted(since) for since in {0, best})
        if not self.found or not self.fewest <= self.epochs < self.most:
            return None
        return RuleBreach(HELDOUT, self.heldout.values[-1], self.heldout.values[0], self.text)

    def _parted(self, since: int) -> bool:
        then, now, window = self.at[since], self.at[-1], self.window
        first = min(max(then - window // 2, 0), max(now - 2 * window, 0))
        if now - first < 2 * window or since == len(self.at) - 1:
            return False
        rise, error = self.reward.change(window, first=first)
        gain = self.heldout.values[-1] - self.heldout.values[since]
        doubt = self.errors * math.hypot(self.heldout_errors[-1], self.heldout_errors[since])
        size = max(abs(self.reward.mean(first, first + window)), abs(self.reward.values[-1]), 1e-9)
        rose = rise >= self.errors * error and rise >= self.rise * min(size, 1.0)
        seen = rise >= doubt  # a gain of that size would have been seen on the held-out problems
        apart = gain < -doubt if self.falls else (seen and gain < self.follows * rise and gain < doubt)
        if not (rose and apart):
            return False
        self.since = trend_above_since(self.reward, self.reward.mean(first, first + window) + rise / 2.0)
        was = f"was {self.heldout.values[since]:.3g} at step {self.heldout.steps[since]}"
        self.text = f"{was}, while reward rose by {rise:.2g} from {self.reward.mean(first, first + window):.3g}"
        return True


def passes_over_data(metrics: Mapping[str, float], limit: int | None, prompts: int | None) -> float:
    """Return the passes over the data so far: logged, or prompts drawn over problems; 0 where neither is known."""
    logged = finite_metric(metrics, EPOCH)
    if logged is not None:
        return logged
    return metrics["step"] * prompts / limit if limit and prompts else 0.0


def heldout_gap_rules(facts: RunFacts, *, fewest: float, most: float) -> Sequence[CollapseRule]:
    """Return the rules of a gap that opens within so many passes over the data: critical where held-out falls."""
    limit = facts.settings.get("dataset.limit")
    return [
        HeldOutGap(
            severity=severity,
            patience=1,
            falls=severity == "collapse",
            errors=3.0,  # 1 in 700 by chance
            rise=0.1,  # of the reward's size
            follows=0.25,  # a temperature or another mix of problems moves held-out less, but not four times less
            window=5,  # steps around an evaluation
            limit=limit if isinstance(limit, int) else None,
            prompts=facts.prompts,
            fewest=fewest,
            most=most,
        )
        for severity in ("collapse", "warning")
    ]
