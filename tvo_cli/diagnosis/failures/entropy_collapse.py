"""Entropy collapse: the policy's entropy runs out, or has run out, on a task that is not solved."""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (live_rule("entropy_floor"),)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (Remedy("hold the entropy: a temperature force"),)


ENTROPY_COLLAPSE = Failure(
    name="entropy_collapse",
    meaning="The policy's entropy runs out before the run ends, on a task that is not solved.",
    needs=(("policy/entropy",),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2505.22617",),
)
