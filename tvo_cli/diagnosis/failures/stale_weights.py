"""Stale weights: responses come from weights that lag behind those that are trained, more and more.

Seen as a mismatch that starts small and has grown by many times, or as the logged lag in steps (asynchronous
training bounds it: arXiv:2505.24298).
"""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.failures.sampler_mismatch import KL, NATS, PROBABILITY, mismatch_rules
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import change, ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.collapse_rules import Ceiling
from tvo_cli.stability.rule_interface import CollapseRule

LAG = "policy/staleness"


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    # Eight steps: the staleness up to which arXiv:2505.24298 finds no loss with a decoupled objective.
    return *mismatch_rules(grown=True), Ceiling(severity="warning", metric=LAG, limit=8.0, patience=3)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "off-policy steps", "wait for new weights", value=1),
        ours(facts, "take log π_old of the trainer", "trainer.old_logp=trainer"),
        Remedy("see that the sampler loads the weights of every step"),
        smaller_steps(facts),
    )


STALE_WEIGHTS = Failure(
    name="stale_weights",
    meaning="Responses are sampled from weights that lag behind those that are trained.",
    needs=((NATS, PROBABILITY, KL, LAG),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2505.24298",),
)
