"""Values that are not finite: NaN or infinity in loss, gradient, reward or policy, or updates skipped for one.

The live rules `nonfinite` and `nonfinite_persistent`, here over the reward's mean and the policy's readings too: of
another trainer's log nobody has kept such an update from the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule

READ = ("loss/", "gradient/", "critic/", "reward/mean", "policy/", "accuracy/fresh")


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return live_rule("nonfinite", prefixes=READ), live_rule("nonfinite_persistent", prefixes=READ)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "record such a step, then replay it", "recorder.on_nonfinite=true"),
        ours(facts, "compute in float32", "trainer.precision=float32"),
        change(facts, "gradient clip", "clip the gradient's norm", value=1.0),
        smaller_steps(facts),
    )


NONFINITE = Failure(
    name="nonfinite",
    meaning="A loss, gradient, reward or log-probability was not finite.",
    needs=(("loss/policy", "gradient/norm", "reward/mean", "policy/entropy", "optimizer/skipped"),),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/metrics.md",),
)
