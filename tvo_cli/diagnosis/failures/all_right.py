"""Advantages gone, all right: the problems are solved, or judged so, and nothing is left to learn from them.

On the way to a solved task that is success, and no finding. It is one when the policy was never seen to learn it
(right from the first steps on: problems that are too easy, or a verifier that accepts everything), when the held-out
accuracy disagrees, or when the rest of the problems is too hard, so that the run stands still below a solved task.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.equal_groups import RIGHT, WRONG, ZERO, EqualGroupsRule
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.partly_equal_groups import partly_equal_groups
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.solved_task import DOUBT, SOLVED
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD, accuracy_or_reward_name

BEFORE = 3  # steps before a leap, whose mean it is measured from
GAP = 0.15  # by which held-out accuracy lies below that of training to disagree: beyond what temperature does to it


@dataclass(kw_only=True)
class AllRight(EqualGroupsRule):
    """Too few groups teach, most of them all right, and it is not the end of learning."""

    at_once: float  # accuracy of the first steps from which nothing was there to learn
    solved: float = SOLVED
    success: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """All right, and not earned."""
        name = accuracy_or_reward_name(metrics)
        self.success.append_metric(metrics, name if name in metrics else RIGHT)
        if not self.follow(metrics):
            return None
        equal, right = self.level(self.equal), self.level(self.right)
        self.since = self.equal_since
        if not self.success.values:
            return None
        end = len(self.success)
        why = self._unearned(self.success.mean(max(end - self.window, 0), end))
        if right < equal - right or not why:
            return None
        return RuleBreach(
            ZERO, equal, self.limit, f"groups teach nothing: {right:.0%} are all right, {why}", self.window
        )

    def _unearned(self, now: float) -> str:
        first = self.success.mean(0, min(3, len(self.success)))
        if first >= self.at_once:
            return f"as they were from the start ({first:.0%} right): too easy, or all answers are accepted"
        if self._heldout_since() < min(now - GAP, self.solved):
            return f"but held-out accuracy is {self.heldout.values[-1]:.3g}"
        return "" if now + self._doubt() >= self.solved else f"and the rest is too hard: accuracy stands at {now:.3g}"

    def _heldout_since(self) -> float:
        """The latest held-out accuracy, if it was read since too few groups teach; else 1, which says nothing."""
        late = bool(self.heldout.values) and self.since is not None and self.heldout.steps[-1] >= self.since
        return self.heldout.values[-1] if late else 1.0

    def _doubt(self) -> float:
        end = len(self.success)
        return DOUBT * self.success.noise(max(end - self.window, 0), end) / math.sqrt(self.window)


@dataclass(kw_only=True)
class AllRightAtOnce(AllRight):
    """Right from one step to the next: by `leap` more than in the steps before, which is not how a policy learns."""

    leap: float

    def _unearned(self, now: float) -> str:
        at = bisect_left(self.success.steps, self.since or 0)
        if at < BEFORE or now < self.at_once:
            return ""
        before = self.success.mean(at - BEFORE, at)
        return f"up from {before:.0%} at once: are all answers accepted?" if now - before >= self.leap else ""


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        AllRight(
            severity="warning",
            least=1.0,  # group a step
            window=10,
            patience=1,
            at_once=0.97,  # a start that is right so often has nothing to learn here
            prompts=facts.prompts,
        ),
        AllRightAtOnce(
            severity="warning",
            least=1.0,
            window=5,  # half as long: what is seen is not a trend
            patience=1,
            at_once=0.97,
            leap=0.25,  # in one step: six errors of a batch of 128 responses
            prompts=facts.prompts,
        ),
        partly_equal_groups(facts, RIGHT),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        Remedy("read responses that were judged right: does the verifier accept wrong answers?"),
        Remedy("harder problems"),
        ours(facts, "draw the problems that are neither always nor never solved", "curriculum=pass_rate"),
        change(facts, "samples", "more prompts with fewer samples each", factor=0.5),
    )


ALL_RIGHT = Failure(
    name="all_right",
    meaning="Advantages are gone, for all answers count as right, without the task being learnt.",
    needs=((ZERO, RIGHT, WRONG), (ACCURACY, REWARD, RIGHT)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2402.03300", "arXiv:2503.14476"),
)
