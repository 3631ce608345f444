"""Clip or mobility saturation: so many tokens are clipped or damped that what is left points elsewhere.

A clipped token has no gradient (PPO, arXiv:1707.06347): the trust region is then a filter on the data, and the
surviving tokens are no sample of the batch (docs/tvo.md, 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import change, controlled_steps, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.exponential_average import exponential_average, steps_of_average
from tvo_cli.stability.rule_interface import CollapseRule, LimitRule, RuleBreach, finite_metric

CLIPPED, DAMPED, MASKED = "policy/clipped", "policy/damped", "policy/masked"


@dataclass(kw_only=True)
class ClipSaturation(LimitRule):
    """A smoothed share of tokens without, or with a damped, gradient above a limit."""

    smoothing: float
    smoothed: float | None = field(default=None, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above the limit."""
        value = finite_metric(metrics, self.metric)
        if value is None:
            return None
        self.smoothed = exponential_average(self.smoothed, value, self.smoothing)
        if self.smoothed <= self.limit:
            return None
        over = steps_of_average(self.smoothing)
        return RuleBreach(self.metric, self.smoothed, self.limit, "of the tokens have lost their gradient", over)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    # A quarter of the tokens: runs of PPO and GRPO here clip 0.05 to 0.2. Damping counts a token by its factor, so that
    # a half of 1 − w is what a quarter clipped and the rest slowed comes to; healthy TVO shows 0.04 to 0.34.
    return (
        ClipSaturation(severity="warning", metric=CLIPPED, limit=0.25, smoothing=0.5, patience=3),
        ClipSaturation(severity="warning", metric=MASKED, limit=0.25, smoothing=0.5, patience=3),
        ClipSaturation(severity="warning", metric=DAMPED, limit=0.5, smoothing=0.5, patience=3),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    """What to do about tokens that are clipped: smaller or controlled steps, fewer passes."""
    return (
        smaller_steps(facts),
        change(facts, "passes", "fewer passes over each batch", value=1),
        controlled_steps(facts),
    )


CLIP_SATURATION = Failure(
    name="clip_saturation",
    meaning="A quarter of the tokens or more has lost its gradient to the clip or the mobility.",
    needs=((CLIPPED, DAMPED, MASKED),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:1707.06347", "docs/tvo.md"),
)
