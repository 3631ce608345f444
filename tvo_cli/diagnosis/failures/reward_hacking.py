"""Reward hacking: the reward of training rises while the held-out accuracy is flat or falls.

Goodhart's law: an optimised proxy parts from what it stands for (Gao et al., arXiv:2210.10760). What is gained in
training and not on held-out problems was gained from the verifier, the prompts or the data, not by solving.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.diagnosis.epochs import REPEATED
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.heldout_gap import heldout_gap_rules
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule
from tvo_cli.stability.step_accuracy import HELDOUT, REWARD


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return heldout_gap_rules(facts, fewest=0.0, most=REPEATED)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        Remedy("read the best-rewarded responses: what do they do that earns reward without solving?"),
        ours(facts, "have a second grader judge", "reward.audit=true"),
        change(facts, "reference penalty", "hold the policy near its start", value=0.04),
        Remedy("keep the checkpoint of the best held-out accuracy, and stop earlier"),
    )


REWARD_HACKING = Failure(
    name="reward_hacking",
    meaning="Reward rises in training while held-out accuracy is flat or falls.",
    needs=((REWARD,), (HELDOUT,)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2210.10760",),
)
