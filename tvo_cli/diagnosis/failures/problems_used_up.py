"""Problems used up: the run goes over the same problems again, and gains on them what it does not gain on others.

Memory, not skill: accuracy on training problems contains what was learnt by heart (docs/metrics.md, `accuracy/fresh`).
The same gap before the data repeat is `reward_hacking`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.heldout_gap import REPEATED, heldout_gap_rules
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import HELDOUT, REWARD
from tvo_cli.stability.rule_interface import CollapseRule


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return heldout_gap_rules(facts, fewest=REPEATED, most=math.inf)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "more problems", "dataset.limit=null"),
        Remedy("stop at the best held-out accuracy: later steps only memorise"),
        change(facts, "reference penalty", "hold the policy near its start", value=0.04),
    )


PROBLEMS_USED_UP = Failure(
    name="problems_used_up",
    meaning="The same problems come again, and what is gained on them is not gained on held-out ones.",
    needs=((REWARD,), (HELDOUT,)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2210.10760", "docs/metrics.md"),
)
