"""Accuracy collapse: what was learnt is lost; the smoothed accuracy or reward falls below half of its peak."""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return live_rule("accuracy_drop"), live_rule("reward_drop")


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (Remedy("smaller steps: a third of the learning rate"),)


ACCURACY_COLLAPSE = Failure(
    name="accuracy_collapse",
    meaning="What was learnt is lost: accuracy or reward has fallen below half of its peak.",
    needs=(("accuracy/fresh", "reward/mean"),),
    rules=_rules,
    remedies=_remedies,
    sources=(),
)
