"""Plateau: half of the run so far has gained nothing, most of what there is to gain is still missing.

A claim of no gain needs the power to see one: the standard error of the difference must be so small that a gain worth
having would have shown. A run that has come most of its way and then stands is no plateau, it has converged;
but where it spends three fifths of its steps so, on a task that is far from solved, that is worth saying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.equal_groups import FEW_GROUPS, ZERO
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import UnsolvedTrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.solved_task import LEAST
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD, accuracy_or_reward_name, share_standard_error

SURE = 2.0  # standard errors


@dataclass(kw_only=True)
class Plateau(UnsolvedTrendRule):
    """The second half of the last `share` of the steps is no better than its first half, and that has lasted.

    For `lasting` of the steps: the stretch at one step is nearly that at the next, so that a streak of a few is none.
    """

    steps: int
    share: float
    gain: float
    missing: float
    lasting: float
    least: float = 0.0  # share of the steps that were asked for, or of those so far, which it must have stood
    planned: int | None = None
    curve: Curve = field(default_factory=Curve, init=False)
    begun: int | None = field(default=None, init=False)  # the first step at which it stood, of the present streak

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """No gain where one would have been seen, for long enough."""
        found, step = self._stands(metrics), int(metrics["step"])
        self.begun = None if found is None else step if self.begun is None else self.begun
        lasted = self.begun is not None and step - self.begun >= self.lasting * (self.planned or step)
        return found if lasted else None

    def _stands(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        self.follow(metrics)
        metric = accuracy_or_reward_name(metrics)
        value, end = self.curve.append_metric(metrics, metric), len(self.curve)
        if value is None or end < self.steps or metrics.get(ZERO, 0.0) >= FEW_GROUPS:
            return None
        half = self._half(end)
        if 2 * half > end:
            return None
        first, now = end - 2 * half, self.curve.mean(end - half, end)
        if self._come_far(now, metric) or self._lost(now):
            return None  # converged or collapsed: failures of their own, or none; as is one without advantages
        noise = share_standard_error(now, self.responses) if metric == ACCURACY else 0.0
        change, error = self.curve.change(half, noise, first=first)
        if change > error or change < -SURE * error or self._could_gain(change, error, half) or self.is_solved():
            return None
        self.since = self.curve.steps[first]
        steps = 2 * half * self.curve.spacing()
        reason = f"has gained {change:+.3f} ± {error:.3f} in {steps:.0f} steps; it began at {self.curve.mean(0, 3):.3g}"
        return RuleBreach(metric, now, now + self._worth(), reason, half)

    def _half(self, end: int) -> int:
        """Half of the stretch that is looked at: of the run so far, or of the least that it must have stood."""
        least = self.least * (self.planned or self.curve.steps[-1]) / self.curve.spacing()
        return max(int(max(end * self.share, least)) // 2, 4)

    def _could_gain(self, change: float, error: float, half: int) -> bool:
        """Whether the steps that are left, or another half, may gain what is worth having, within SURE errors."""
        step = self.curve.steps[-1]
        left = max((self.planned - step if self.planned else step) / self.curve.spacing(), half)
        return (change + SURE * error) / half * left > self._worth()

    def _worth(self) -> float:
        """A gain worth having: in points of an accuracy, or of the size of a reward."""
        end = len(self.curve)
        return self.gain * max(1.0, abs(self.curve.mean(0, end)))

    def _lost(self, now: float) -> bool:
        start = self.curve.mean(0, 3)
        return now < 0.5 * start

    def _come_far(self, now: float, metric: str) -> bool:
        start = self.curve.mean(0, 3)
        if metric != ACCURACY:
            return now - start > self.gain * max(1.0, abs(start))
        return (self.solved - now) < self.missing * (self.solved - start)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        Plateau(
            severity="warning",
            steps=40,  # below it half a run is too short to ask for a gain
            share=0.5,  # of the run so far
            lasting=0.1,
            gain=0.05,  # five points: less in half of a run is not worth the other half
            missing=0.67,  # of the way from the start to a solved task: who has come a third of it has learnt
            patience=5,
            planned=facts.planned,
            responses=facts.responses,
        ),
        Plateau(
            severity="warning",
            steps=40,
            share=0.5,
            least=0.6,  # of the steps that were asked for: more than half is no pause any more
            lasting=0.05,
            gain=0.05,
            missing=0.0,  # however far it has come
            solved=LEAST,  # from which a run that holds its best counts as well off (conf/stability, `held`)
            patience=5,
            planned=facts.planned,
            responses=facts.responses,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "learning rate", "a larger learning rate, if the gradient stands above its noise", factor=3.0),
        ours(facts, "a step that follows what the policy bears", "algorithm=tvo"),
        change(facts, "samples", "more samples a prompt", factor=2.0),
        ours(facts, "problems of which some are solved", "curriculum=pass_rate"),
    )


PLATEAU = Failure(
    name="plateau",
    meaning="Half of the run so far has gained nothing, and most is still missing.",
    needs=((ACCURACY, REWARD),),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/results/compare.md",),
)
