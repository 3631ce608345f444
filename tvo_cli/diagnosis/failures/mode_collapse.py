"""Mode collapse of answers: the responses of a group become one answer, or words that no reward touches become few.

The live rules `neutral_floor` and `answer_floor`. Entropy of a token cannot tell drift from success; entropy of the
answers falls as problems get solved, and is excused there; the neutral words can only be lost by drift. Half of their
entropy is drift to be told, e^1 words of e^2, while the task is not solved; a tenth, at which any entropy has collapsed
(`entropy_floor`), is told of any run, and is critical where the task is not solved. Why the
live rule is stricter stands in docs/diagnose.md, under what an alarm is.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule, live_rule_setting
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule
from tvo_cli.stability.solved_task import SOLVED

ANSWERS, NEUTRAL = "answer/entropy", "neutral/entropy"


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    gone, responses = live_rule_setting("entropy_floor", "share"), facts.responses
    return (
        live_rule("neutral_floor", severity="warning", solved=SOLVED, responses=responses),
        live_rule("neutral_floor", severity="warning", share=gone),
        live_rule("neutral_floor", share=gone, solved=SOLVED, responses=responses),
        live_rule("answer_floor", responses=responses),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    """What to do about answers that become one: more entropy, or a policy nearer to its start."""
    return (
        ours(facts, "hold the entropy: TVO's temperature", "algorithm=tvo"),
        change(facts, "upper clip", "raise the upper clip, which lets rare tokens grow (arXiv:2503.14476)", value=0.28),
        change(facts, "reference penalty", "hold the policy near its start", value=0.04),
    )


MODE_COLLAPSE = Failure(
    name="mode_collapse",
    meaning="The answers of a group become one, or words that no reward touches become few.",
    needs=((ANSWERS, NEUTRAL),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2504.13837", "arXiv:2503.14476"),
)
