"""A gap that opens between the reward of training and the held-out accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.epochs import EPOCH, most_passes, passes_over_data
from tvo_cli.diagnosis.repeated_testing import errors_for_looks
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.step_accuracy import ACCURACY, HELDOUT, REWARD, heldout_standard_error
from tvo_cli.stability.whole_log import WholeLog


@dataclass(kw_only=True)
class HeldOutGap(TrendRule):
    """Since some earlier evaluation reward rose by `errors` standard errors, and held-out accuracy did not follow.

    It did not follow: its gain is below `follows` of the reward's gain, and surely below `usual` of it, which is what
    a healthy run shows at least; it falls where the loss is sure. The earlier evaluation is that of the best held-out
    accuracy, or the first one. Sure is what n evaluations, any two of which may be compared, do not show by chance.
    """

    reads_refused: ClassVar[bool] = True
    metric: str  # whose gain is held against the held-out one: the reward, or the accuracy in training
    lasting: float  # share of the steps for which a gap in reward alone must last: forms are learnt before answers
    planned: int | None
    errors: float
    rise: float
    follows: float
    usual: float
    window: int
    falls: bool
    reward: Curve = field(default_factory=Curve, init=False)
    heldout: Curve = field(default_factory=Curve, init=False)
    heldout_errors: list[float] = field(default_factory=list, init=False)
    at: list[int] = field(default_factory=list, init=False)  # length of the reward's curve at each evaluation
    best: int = field(default=0, init=False)  # the first evaluation of the best held-out accuracy
    limit: int | None = None  # problems of the data set, where it is finite
    prompts: int | None = None  # P, a step
    fewest: float = 0.0  # passes over the data from which on this is the failure
    most: float = math.inf  # and below which
    epochs: float = field(default=0.0, init=False)
    found: bool = field(default=False, init=False)
    begun: int | None = field(default=None, init=False)  # the first step of the present gap
    text: str = field(default="", init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Parted, at the latest evaluation."""
        self.reward.append_metric(metrics, self.metric)
        if not self.found and HELDOUT not in metrics and EPOCH not in metrics:  # a step of a run without a gap
            self.begun = None
            return None
        if self.limit or EPOCH in metrics:
            self.epochs = max(self.epochs, passes_over_data(metrics, self.limit, self.prompts))
        if self.heldout.append_metric(metrics, HELDOUT) is not None:
            self.heldout_errors.append(heldout_standard_error(metrics))
            self.at.append(len(self.reward))
            self.best = max(self.best, len(self.at) - 1, key=lambda one: self.heldout.values[one])
            self.found = any(self._parted(since) for since in {0, self.best})
        self.begun = (self.begun or int(metrics["step"])) if self.found else None
        if not self._lasts(metrics) or not self.fewest <= self.epochs < self.most:
            return None
        return RuleBreach(HELDOUT, self.heldout.values[-1], self.heldout.values[0], self.text)

    def is_silent(self, log: WholeLog) -> bool:
        """Without held-out accuracies, or never so many passes over the data."""
        return HELDOUT not in log.names or most_passes(log, self.limit, self.prompts) < self.fewest

    def _lasts(self, metrics: Mapping[str, float]) -> bool:
        if self.begun is None or self.metric == ACCURACY or self.falls or ACCURACY not in metrics:
            return self.begun is not None
        return metrics["step"] - self.begun >= self.lasting * (self.planned or metrics["step"])

    def _parted(self, since: int) -> bool:
        then, now, window = self.at[since], self.at[-1], self.window
        first = min(max(then - window // 2, 0), max(now - 2 * window, 0))
        if now - first < 2 * window or since == len(self.at) - 1:
            return False
        rise, error = self.reward.change(window, first=first)
        gain = self.heldout.values[-1] - self.heldout.values[since]
        sure = errors_for_looks(self.errors, len(self.at) ** 2)
        doubt = math.hypot(self.heldout_errors[-1], self.heldout_errors[since])
        size = max(abs(self.reward.mean(first, first + window)), abs(self.reward.values[-1]), 1e-9)
        rose = rise >= self.errors * error and rise >= self.rise * min(size, 1.0)
        lag, lag_error = self.usual * rise - gain, math.hypot(doubt, self.usual * error)
        behind = gain < self.follows * rise and lag > sure * lag_error
        apart = gain < -sure * doubt if self.falls else behind
        if not (rose and apart):
            return False
        if not self.fires:
            self.since = self.reward.above_since(self.reward.mean(first, first + window) + rise / 2.0)
        was = f"was {self.heldout.values[since]:.3g} at step {self.heldout.steps[since]}"
        self.text = f"{was}, while {self.metric} rose by {rise:.2g} from {self.reward.mean(first, first + window):.3g}"
        return True


def heldout_gap_rules(facts: RunFacts, *, fewest: float, most: float) -> Sequence[CollapseRule]:
    """Return the rules of a gap that opens within so many passes over the data: critical where held-out falls."""
    limit = facts.settings.get("dataset.limit")
    return [
        HeldOutGap(
            severity=severity,
            patience=1,
            metric=metric,
            lasting=0.1,
            planned=facts.planned,
            falls=severity == "collapse",
            errors=3.0,  # 1 in 700 by chance, in a whole run
            rise=0.1,  # of the reward's size
            follows=0.25,  # a temperature or another mix of problems moves held-out less, but not four times less
            usual=0.75,  # of what reward gains: another temperature, harder problems
            window=5,  # steps around an evaluation
            limit=limit if isinstance(limit, int) else None,
            prompts=facts.prompts,
            fewest=fewest,
            most=most,
        )
        for severity, metric in (("collapse", REWARD), ("warning", ACCURACY), ("warning", REWARD))
    ]
