"""Advantages gone, all wrong: no group has a right answer, so that nothing tells a better response from a worse one.

With a group baseline a group of equal rewards has advantage 0 (arXiv:2402.03300; DAPO filters such groups,
arXiv:2503.14476). The share depends on G and pass@1: p^G + (1 − p)^G; so what counts is how many groups still teach.
"""

from __future__ import annotations

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
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD, accuracy_or_reward_name

FEW = 4  # steps of a mean
LOST = 0.25  # of the best: what is left of a collapse


@dataclass(kw_only=True)
class AllWrong(EqualGroupsRule):
    """Too few groups teach, and most of those that do not are all wrong, as they were before.

    Where the policy could do more once, the task is not too hard: that is `accuracy_collapse` or `entropy_blow_up`.
    """

    known: float  # success that shows that the policy could do it
    success: Curve = field(default_factory=Curve, init=False)
    best: float = field(default=0.0, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """All wrong."""
        if not self.follow(metrics) or self._could(metrics):
            return None
        equal, right = self.level(self.equal), self.level(self.right)
        if right >= equal - right:
            return None
        self.since = self.equal_since
        reason = f"groups teach nothing: {equal - right:.0%} are all wrong, {right:.0%} all right"
        return RuleBreach(ZERO, equal, self.limit, reason, self.window)

    def follow(self, metrics: Mapping[str, float]) -> bool:
        """As of both; success is followed too."""
        self.success.append_metric(metrics, accuracy_or_reward_name(metrics))
        end = len(self.success.values)
        mean = self.success.mean(max(end - FEW, 0), end) if end else 0.0
        if mean > self.best:
            self.best = mean
        return super().follow(metrics)

    def _could(self, metrics: Mapping[str, float]) -> bool:
        best = max([self.best, *self.heldout.values])
        end = len(self.success)
        now = self.success.mean(max(end - FEW, 0), end) if end else 0.0
        return best >= self.known and now <= LOST * best


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        AllWrong(
            severity="warning",
            least=1.0,  # group a step: below it most steps have no gradient at all
            window=5,  # as the live rule `zero_advantage`
            patience=1,
            known=0.1,  # one in ten: below it a start is sparse, and chance may take its few right answers away
            prompts=facts.prompts,
        ),
        AllWrong(
            severity="collapse",
            least=0.25,  # one group in four steps
            window=20,  # a sparse start may wait for its first right answer, but not for so long without noise
            patience=1,
            known=0.1,  # one in ten: below it a start is sparse, and chance may take its few right answers away
            prompts=facts.prompts,
        ),
        partly_equal_groups(facts, WRONG),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        Remedy("easier problems first, or a start that solves some: fine-tune on worked solutions"),
        ours(facts, "draw problems by their pass rate", "curriculum=pass_rate"),
        change(facts, "samples", "more samples a prompt: one right answer in a group is enough", factor=2.0),
        ours(facts, "a baseline that also compares between prompts", "algorithm=tvo"),
    )


ALL_WRONG = Failure(
    name="all_wrong",
    meaning="Advantages are gone, for all answers are wrong: no group tells a better response from a worse one.",
    needs=((ZERO, RIGHT, WRONG), (ACCURACY, REWARD, RIGHT)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2402.03300", "arXiv:2503.14476"),
)
