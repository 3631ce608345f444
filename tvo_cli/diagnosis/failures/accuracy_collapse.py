"""Accuracy collapse: what was learnt is lost.

Three rules: the live ones of conf/stability (half of the peak, smoothed); a fall of a short window below half of the
best window by so many standard errors, which also sees low peaks and quick falls; a fall of the held-out accuracy.
Sources: the half of the peak is the definition of docs/results; the error of a window's mean is Bernoulli's, or what
successive differences show where that is more (von Neumann, 1941), since responses to one prompt are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule, live_rules
from tvo_cli.diagnosis.repeated_testing import errors_for_looks
from tvo_cli.diagnosis.setting_changes import controlled_steps, roll_back, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.collapse_rules import Drop
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.step_accuracy import (
    ACCURACY,
    HELDOUT,
    REWARD,
    USUAL_ERROR,
    accuracy_or_reward,
    accuracy_or_reward_name,
    heldout_standard_error,
    share_standard_error,
)
from tvo_cli.stability.whole_log import WholeLog


@dataclass(kw_only=True)
class AccuracyPeakDrop(TrendRule, Drop):
    """A live rule `…_drop` that also says since when: since its metric was nearer to where it is than to its peak."""

    curve: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Below half of the peak."""
        self.curve.append_metric(metrics, self.metric)
        found = Drop.breach(self, metrics)
        if found is not None and not self.fires:
            self.since = self.curve.below_since((self.peak + found.value) / 2.0)
        return found


@dataclass(kw_only=True)
class SignificantAccuracyFall(TrendRule):
    """The mean of the last `window` values lies below `share` of the best such mean, by `errors` standard errors.

    Errors of one comparison; of the windows of a run any two may be the best and the last.

    Where a metric has negative values there is no share of it: then all that was gained must be lost, below the start.
    """

    metric: str
    share: float
    window: int
    errors: float
    responses: int | None = None
    instead_of: str = ""  # a metric that makes this one unnecessary where it is logged
    curve: Curve = field(default_factory=Curve, init=False)
    best: float = field(default=-1e300, init=False)
    lowest: float = field(default=0.0, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Fallen."""
        if self.instead_of in metrics:
            return None
        value = self.curve.append_metric(metrics, self.metric)
        end, window = len(self.curve), self.window
        if value is None or end < 2 * window:
            return None
        self.lowest = min(self.lowest, value)
        self.best = max(self.best, self.curve.mean(end - 2 * window, end - window))
        return self._fallen(self.curve.mean(end - window, end))

    def _fallen(self, now: float) -> RuleBreach | None:
        threshold = self.share * self.best if self.lowest >= 0.0 else self.curve.mean(0, self.window)
        if now >= threshold:
            return None
        end, least = len(self.curve), share_standard_error(self.best, self.responses)
        noise = max(self.curve.noise(0, end), self.curve.lasting_noise(), least)
        error = noise * math.sqrt(2.0 / self.window)
        if self.best - now < errors_for_looks(self.errors, (end / self.window) ** 2) * error or self.best == now:
            return None
        if self.fires:
            return RuleBreach(self.metric, now, threshold, "has fallen", self.window)
        self.since = self.curve.below_since((self.best + now) / 2.0)
        reason = f"has fallen from {self.best:.3g} by {(self.best - now) / max(error, 1e-12):.1f} standard errors"
        return RuleBreach(self.metric, now, threshold, reason, self.window)


@dataclass(kw_only=True)
class StartAccuracyLost(TrendRule):
    """The last `window` values all lie below `share` of the first, which the start earned, from `least` on."""

    share: float
    window: int
    least: float
    curve: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Lost."""
        value = self.curve.append_metric(metrics, accuracy_or_reward_name(metrics))
        start = self.curve.values[0] if len(self.curve) else 0.0
        if value is None or start < self.least or len(self.curve) <= self.window:
            return None
        last = self.curve.values[-self.window :]
        if max(last) >= self.share * start:
            return None
        if not self.fires:
            self.since = self.curve.below_since(self.share * start)
        metric = accuracy_or_reward_name(metrics)
        return RuleBreach(metric, value, self.share * start, f"the start's {start:.3g} is lost")

    def is_silent(self, log: WholeLog) -> bool:
        """Never below the share of the start."""
        values = log.reading(accuracy_or_reward)
        return not values or values[0] < self.least or min(values) >= self.share * values[0]


@dataclass(kw_only=True)
class HeldOutAccuracyFall(TrendRule):
    """The held-out accuracy lies below `share` of its best, by `errors` standard errors of the difference.

    Errors of one comparison; of n evaluations any two may be the best and the latest.
    """

    reads_refused: ClassVar[bool] = True
    share: float
    errors: float
    curve: Curve = field(default_factory=Curve, init=False)
    best: float = field(default=0.0, init=False)
    best_error: float = field(default=USUAL_ERROR, init=False)
    fallen: bool = field(default=False, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Fallen at the latest evaluation."""
        value = self.curve.append_metric(metrics, HELDOUT)
        if value is not None:
            error = heldout_standard_error(metrics)
            sure = errors_for_looks(self.errors, len(self.curve) ** 2)
            limit = sure * math.hypot(error, self.best_error)
            self.fallen = self.best > 0.0 and value < self.share * self.best and self.best - value > limit
            if value > self.best:
                self.best, self.best_error = value, error
        if not self.fallen:
            return None
        if not self.fires:
            self.since = self._first_below(self.share * self.best)
        reason = f"is held-out accuracy and was {self.best:.3g}"
        return RuleBreach(HELDOUT, self.curve.values[-1], self.share * self.best, reason)

    def _first_below(self, low: float) -> int:
        after = range(self.curve.values.index(self.best), len(self.curve))
        return self.curve.steps[next(at for at in after if self.curve.values[at] < low)]


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        live_rule("accuracy_drop", AccuracyPeakDrop),
        live_rule("reward_drop", AccuracyPeakDrop),
        *live_rules("evaluation_drop"),
        *(SignificantAccuracyFall(metric=ACCURACY, responses=facts.responses, **how) for how in FALLS),
        *(SignificantAccuracyFall(metric=REWARD, instead_of=ACCURACY, **how) for how in FALLS),
        # Five steps on end below a quarter: at a true 0.05 of 16 answers that is 1 in 60, and a first 0.1 is 1 in 5.
        StartAccuracyLost(severity="collapse", share=0.25, window=5, least=0.1, patience=1),
        HeldOutAccuracyFall(
            severity="collapse", share=0.5, errors=3.0, patience=1
        ),  # half lost: as for the training accuracy
        HeldOutAccuracyFall(
            severity="warning", share=0.8, errors=3.0, patience=1
        ),  # 1 in 700 by chance, in a whole run
    )


# Four errors: 1 in 30,000 by chance in a whole run. Three quarters in a longer window, a fall that a reader of a curve
# would ask about: half an error more, for accuracies that drift.
FALLS: tuple[Mapping[str, Any], ...] = (
    {"severity": "collapse", "share": 0.5, "window": 4, "errors": 4.0, "patience": 2},
    {"severity": "warning", "share": 0.75, "window": 8, "errors": 4.5, "patience": 3},
)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    """What to do about accuracy that collapses: smaller or controlled steps, or the policy before."""
    return smaller_steps(facts), controlled_steps(facts), roll_back(facts)


ACCURACY_COLLAPSE = Failure(
    name="accuracy_collapse",
    meaning="What was learnt is lost: accuracy or reward has fallen far below its peak.",
    needs=((ACCURACY, REWARD, HELDOUT),),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/results/compare.md", "arXiv:2505.22617"),
)
