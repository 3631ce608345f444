"""Length bought instead of answers: reward rises with longer or shorter responses, accuracy does not.

Length rewards and penalties, and length biases of the loss (arXiv:2503.20783), make length a currency of its own;
longer reasoning that pays is healthy, so accuracy must be flat. The live rule `length_band` is one of the rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.bought_reward import BoughtReward
from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule
from tvo_cli.stability.step_accuracy import ACCURACY

LENGTH = "response/length"


@dataclass(kw_only=True)
class LengthBought(BoughtReward):
    """The currency is the length, which has changed by `factor` either way."""

    factor: float
    length: Curve = field(default_factory=Curve, init=False)

    def currency(self, metrics: Mapping[str, float]) -> Curve | None:
        """The length, where it has moved so far."""
        self.length.append_metric(metrics, LENGTH)
        if len(self.length) < 2 * self.window:
            return None
        before, now = self._levels()
        moved = min(before, now) > 0.0 and abs(math.log(now / before)) >= math.log(self.factor)
        return self.length if moved else None

    def price(self) -> str:
        """How far the length has moved."""
        before, now = self._levels()
        return f"length went from {before:.3g} to {now:.3g} tokens"

    def _levels(self) -> tuple[float, float]:
        """The length at the start and now."""
        end = len(self.length)
        return self.length.mean(0, self.window), self.length.mean(end - self.late(self.length), end)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        live_rule("length_band"),
        LengthBought(
            severity="collapse",
            errors=4.0,  # of the reward's rise
            rise=0.1,  # of its size: below it nobody would call it a gain
            window=8,
            patience=3,
            lasting=0.1,  # of the run: longer reasoning pays later than it grows, but not so much later
            planned=facts.planned,
            responses=facts.responses,
            factor=1.3,  # healthy lengths of the embedded task move by less than a tenth
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "no reward for length, or a smaller one", "reward.length.weight=0"),
        Remedy("judge length only between responses that are right"),
        ours(facts, "a loss without length bias (arXiv:2503.20783)", "algorithm=dr_grpo"),
        change(facts, "response limit", "a lower limit of response tokens", factor=0.5),
    )


LENGTH_BOUGHT = Failure(
    name="length_bought",
    meaning="Responses change their length without being right more often.",
    needs=((LENGTH,), (ACCURACY,)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2503.20783", "arXiv:2503.14476"),
)
