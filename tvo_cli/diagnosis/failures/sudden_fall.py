"""Sudden falls: a step after which the accuracy is lower than chance allows, as `stability.refuse` takes back.

The error of an accuracy is counted, √(p(1 − p)/N), for the batch and for the steps before it; responses to one prompt
are not independent, so the noise that successive batches show counts where it is more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.repeated_testing import errors_for_looks
from tvo_cli.diagnosis.setting_changes import NOTHING, ours, smaller_steps
from tvo_cli.diagnosis.training_log import REFUSED, RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric
from tvo_cli.stability.step_accuracy import ACCURACY, share_standard_error


@dataclass(kw_only=True)
class SuddenFall(TrendRule):
    """Two steps on end lie below the mean of the `window` before them, each by `errors` standard errors.

    Errors of one look; a run of n steps is looked at n times. The first `fewest` steps show what the noise is.
    """

    window: int
    errors: float
    fewest: int
    responses: int | None = None
    curve: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Fallen, and stayed."""
        value, end = self.curve.append_metric(metrics, ACCURACY), len(self.curve)
        if value is None or end < self.fewest + 2:
            return None
        before, last = self.curve.mean(end - 2 - self.window, end - 2), max(self.curve.values[-2:])
        if last >= before:
            return None
        seen = self.curve.noise(0, end - 2)
        noise = math.hypot(max(share_standard_error(before, self.responses), seen), seen / math.sqrt(self.window))
        threshold = before - errors_for_looks(self.errors, end) * noise
        if noise <= 0.0 or last >= threshold:
            return None
        self.since = self.curve.steps[-2]
        errors = (before - last) / noise
        return RuleBreach(ACCURACY, value, threshold, f"fell from {before:.3g} by {errors:.1f} standard errors at once")


@dataclass(kw_only=True)
class RepeatedRefusals(TrendRule):
    """`most` or more of the last `window` steps were sudden falls that were taken back: so far the count has grown."""

    reads_refused: ClassVar[bool] = True
    most: int
    window: int
    refused: list[float] = field(default_factory=list, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Refused again and again."""
        value = finite_metric(metrics, REFUSED)
        if value is None:
            return None
        self.refused = [*self.refused, value][-self.window :]
        count = value - self.refused[0]
        if count < self.most:
            return None
        return RuleBreach(REFUSED, count, self.most, f"of the last {len(self.refused)} steps were taken back")


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        SuddenFall(
            severity="warning",
            window=5,
            errors=3.5,  # for each of two steps; with the looks 4.4 of 30 steps and 5.5 of ten thousand
            fewest=12,  # eleven differences: σ is then known to a quarter
            patience=1,
            responses=facts.responses,
        ),
        RepeatedRefusals(severity="warning", most=5, window=20, patience=1),  # a quarter: the rate, not bad luck
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        NOTHING
        if facts.settings.get("stability.refuse")
        else ours(facts, "take such steps back", "stability.refuse=4"),
        smaller_steps(facts),
    )


SUDDEN_FALL = Failure(
    name="sudden_fall",
    meaning="A step cost more accuracy than chance explains: one that stability.refuse would take back.",
    needs=((ACCURACY,),),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/tvo.md",),
)
