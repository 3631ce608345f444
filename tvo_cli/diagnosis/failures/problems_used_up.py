"""Problems used up: the run goes over the same problems again, and gains on them what it does not gain on others.

Memory, not skill: accuracy on training problems contains what was learnt by heart (docs/metrics.md, `accuracy/fresh`).
The same gap before the data repeat is `reward_hacking`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.epochs import REPEATED, most_passes, passes_over_data
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.heldout_gap import heldout_gap_rules
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.step_accuracy import ACCURACY, HELDOUT, REWARD, heldout_standard_error
from tvo_cli.stability.whole_log import WholeLog


@dataclass(kw_only=True)
class LearntByHeart(TrendRule):
    """On problems that come again accuracy is above held-out accuracy, by `gap` and by `errors` standard errors.

    Levels are compared here, not gains: on repeated problems of one source a gap of this size is memory.
    """

    reads_refused: ClassVar[bool] = True
    gap: float
    errors: float
    window: int
    limit: int | None
    prompts: int | None
    success: Curve = field(default_factory=Curve, init=False)
    heldout: Curve = field(default_factory=Curve, init=False)
    error: float = field(default=0.0, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above it, at the latest evaluation."""
        self.success.append_metric(metrics, ACCURACY)
        if self.heldout.append_metric(metrics, HELDOUT) is not None:
            self.error = heldout_standard_error(metrics)
        passes = passes_over_data(metrics, self.limit, self.prompts)
        end = len(self.success)
        if passes < REPEATED or not self.heldout.values or end < 2 * self.window:
            return None
        now, held = self.success.mean(end - self.window, end), self.heldout.values[-1]
        noise = math.hypot(self.error, self.success.noise(end - self.window, end) / math.sqrt(self.window))
        gained = now - self.success.mean(0, self.window)
        if now - held < max(self.gap, self.errors * noise) or gained < self.gap / 2.0:
            return None
        return RuleBreach(HELDOUT, held, now - self.gap, f"while problems seen {passes:.0f} times are {now:.3g} right")

    def is_silent(self, log: WholeLog) -> bool:
        """No problem comes again."""
        return most_passes(log, self.limit, self.prompts) < REPEATED


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    limit = facts.settings.get("dataset.limit")
    return (
        *heldout_gap_rules(facts, fewest=REPEATED, most=math.inf),
        LearntByHeart(
            severity="warning",
            gap=0.15,  # beyond what another temperature does to an accuracy
            errors=3.0,
            window=8,
            patience=3,
            limit=limit if isinstance(limit, int) else None,
            prompts=facts.prompts,
        ),
    )


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
