"""No gradient: the gradient's norm is 0 for steps on end though the rewards are not all equal.

A group of one has no other response to be compared with, so that a group baseline leaves nothing (arXiv:2402.03300,
the advantage is 0 by construction); other causes are frozen weights or a loss that is masked away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvo_cli.diagnosis.equal_groups import FEW_GROUPS, ZERO
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD, accuracy_or_reward
from tvo_cli.stability.whole_log import WholeLog

NORM = "gradient/norm"


@dataclass(kw_only=True)
class NoGradient(CollapseRule):
    """A norm below `least` while rewards differ: between right and wrong, or within groups."""

    least: float
    samples: int | None = None

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Nothing moves."""
        value, equal = finite_metric(metrics, NORM), finite_metric(metrics, ZERO)
        if value is None or value >= self.least or not self._differ(metrics) or (equal or 0.0) >= FEW_GROUPS:
            return None
        why = "each group has one response" if self.samples == 1 else "though rewards differ"
        return RuleBreach(NORM, value, self.least, f"there is no gradient, {why}")

    def is_silent(self, log: WholeLog) -> bool:
        """A norm is never so small."""
        return log.never_below(NORM, self.least)

    def _differ(self, metrics: Mapping[str, float]) -> bool:
        level = accuracy_or_reward(metrics)
        return level is not None and level not in (0.0, 1.0)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        NoGradient(
            severity="collapse",
            least=1e-8,  # rounding of float32 in a gradient of size 1
            patience=3,
            samples=facts.samples,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "samples", "several samples a prompt", value=8),
        ours(facts, "a baseline that compares between prompts", "algorithm=tvo"),
        Remedy("see that the weights are trained, and that no mask leaves all tokens out"),
    )


NO_GRADIENT = Failure(
    name="no_gradient",
    meaning="The gradient is 0 though rewards differ: nothing is learnt.",
    needs=((NORM,), (ACCURACY, REWARD)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2402.03300",),
)
