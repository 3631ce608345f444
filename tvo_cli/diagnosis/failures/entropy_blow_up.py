"""Entropy blow-up: the policy becomes noise, often in its first steps; its entropy rises and its accuracy falls.

A collapse need not begin with an entropy that falls: a step that is too large makes a policy random, not rigid
(docs/readings.md). Exploration raises entropy too, but not while what was known is lost, hence both conditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rules
from tvo_cli.diagnosis.setting_changes import change, controlled_steps, roll_back, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD
from tvo_cli.stability.whole_log import WholeLog

ENTROPY = "policy/entropy"


@dataclass(kw_only=True)
class EntropyRise(TrendRule):
    """Entropy is above `factor` times its first value over a window, and success is below `share` of what it was."""

    factor: float
    share: float
    window: int
    curve: Curve = field(default_factory=Curve, init=False)
    accuracy: Curve = field(default_factory=Curve, init=False)
    reward: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Random, and worse than before."""
        self.accuracy.append_metric(metrics, ACCURACY)
        self.reward.append_metric(metrics, REWARD)
        value, end = self.curve.append_metric(metrics, ENTROPY), len(self.curve)
        if value is None or end < self.window:
            return None
        threshold = self.factor * self.curve.values[0]
        now = self.curve.mean(end - self.window, end)
        lost = self._lost(self.accuracy if len(self.accuracy) else self.reward) if now > threshold else ""
        if not lost:
            return None
        if not self.fires:
            self.since = self.curve.above_since(threshold)
        return RuleBreach(
            ENTROPY, now, threshold, f"has risen from {self.curve.values[0]:.3g} while {lost}", self.window
        )

    def is_silent(self, log: WholeLog) -> bool:
        """Never so far above the start."""
        first = log.column(ENTROPY)[:1]
        return not first or log.never_above(ENTROPY, self.factor * first[0])

    def _lost(self, success: Curve) -> str:
        """What has been lost; empty where nothing has."""
        end, window = len(success), self.window
        if end < window:
            return ""
        best, now = max(success.values[:window]), success.mean(end - window, end)
        fallen = now < self.share * best if best > 0.0 else now < best
        return f"success has fallen from {best:.3g} to {now:.3g}" if fallen else ""


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        *live_rules("entropy_rise"),
        EntropyRise(
            severity="collapse",
            factor=1.5,  # healthy runs of the embedded task stay below; what decides is the success lost besides
            share=0.5,  # the definition of a collapse
            window=3,  # the first steps already: a start may be lost in one
            patience=2,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    """What to do about entropy that blows up: smaller steps, clipped or controlled, or the policy before."""
    return (
        smaller_steps(facts),
        change(facts, "gradient clip", "clip the gradient's norm lower", factor=0.3),
        controlled_steps(facts),
        roll_back(facts),
    )


ENTROPY_BLOW_UP = Failure(
    name="entropy_blow_up",
    meaning="The policy becomes noise: its entropy rises while what it could do is lost.",
    needs=((ENTROPY,), (ACCURACY, REWARD)),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/readings.md", "arXiv:2505.22617"),
)
