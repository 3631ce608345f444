"""Truncation: more and more responses meet the length limit, where they count as wrong whatever they would have said.

The live rule `truncation`: above a half, and above the start by a quarter. The rise is what counts, for base models
begin above a half: where it lasts for ten steps it is told below a half too. DAPO's overlong filter and penalty are
about it (arXiv:2503.14476).
"""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule

TRUNCATED = "response/truncated"


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return live_rule("truncation"), live_rule("truncation", limit=0.25, patience=10)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "response limit", "a higher limit of response tokens", factor=2.0),
        change(facts, "mask of cut responses", "leave cut responses out of the loss", value=True),
        ours(facts, "a penalty on length near the limit (arXiv:2503.14476)", "algorithm=dapo"),
    )


TRUNCATION = Failure(
    name="truncation",
    meaning="Responses do not end within the length limit, and count as wrong for it.",
    needs=((TRUNCATED,),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2503.14476",),
)
