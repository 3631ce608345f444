"""Values that are not finite: NaN or infinity in loss, gradient, reward or policy, or updates skipped for one.

The live rules `nonfinite` and `nonfinite_persistent`, here over the reward's mean, the policy's readings and held-out
scores too: of another trainer's log nobody has kept such an update from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.collapse_rules import NonFinite
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.tracking.metric_names import is_heldout_score

READ = ("loss/", "gradient/", "critic/", "reward/mean", "policy/", "accuracy/fresh")


@dataclass(kw_only=True)
class NonFiniteScore(NonFinite):
    """A held-out score that is not finite: nobody knows how good that policy is."""

    reads_evaluations: ClassVar[bool] = True

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Any at all."""
        broken = (name for name, value in metrics.items() if value - value != 0 and is_heldout_score(name))
        return next((RuleBreach(name, metrics[name], 0.0, "is not finite") for name in broken), None)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    of_scores = live_rule("nonfinite", NonFiniteScore)
    return live_rule("nonfinite", prefixes=READ), live_rule("nonfinite_persistent", prefixes=READ), of_scores


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "record such a step, then replay it", "recorder.on_nonfinite=true"),
        ours(facts, "compute in float32", "trainer.precision=float32"),
        change(facts, "gradient clip", "clip the gradient's norm", value=1.0),
        smaller_steps(facts),
    )


NONFINITE = Failure(
    name="nonfinite",
    meaning="A loss, gradient, reward, log-probability or held-out score was not finite.",
    needs=(("loss/policy", "gradient/norm", "reward/mean", "policy/entropy", "optimizer/skipped"),),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/metrics.md",),
)
