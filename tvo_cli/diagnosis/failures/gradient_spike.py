"""Gradient spikes: a gradient norm far above its running median.

The live rule `gradient_blow_up`. Under Adam one large gradient inflates the second moment for 1/(1 − β₂) updates
(arXiv:2304.09871 on loss spikes of large models).
"""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule

NORM = "gradient/norm"


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (live_rule("gradient_blow_up"),)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "gradient clip", "clip the gradient's norm near its median", value=_near_median(finding)),
        ours(facts, "see whose gradient it was", "recorder.on_collapse=true"),
        smaller_steps(facts),
    )


def _near_median(finding: Finding) -> str | None:
    """Return twice the running median as a clip: the rule's threshold is twenty of it."""
    threshold = finding.evidence.get("threshold")
    return None if not threshold else f"{threshold / 10.0:.2g}"


GRADIENT_SPIKE = Failure(
    name="gradient_spike",
    meaning="A gradient was far larger than usual.",
    needs=((NORM,),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2304.09871",),
)
