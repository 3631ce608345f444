"""Format bought instead of answers: reward rises because responses have a final answer, or a form, not the right one.

A format term is learnt first since it is easiest (arXiv:2501.12948 weighs it beside the accuracy); a run that stops
there has learnt to look right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.bought_reward import BoughtReward
from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD
from tvo_cli.stability.whole_log import WholeLog

UNANSWERED = "grader/unanswered"
FORMAT = re.compile(r"reward/[^/]*(format|tag|think|xml|boxed|structure)[^/]*$", re.IGNORECASE)


@dataclass(kw_only=True)
class FormatBought(BoughtReward):
    """The currency is the form: fewer responses without an answer, or a format term that rose, by `moved`."""

    moved: float
    unanswered: Curve = field(default_factory=Curve, init=False)
    term: Curve = field(default_factory=Curve, init=False)
    name: str = field(default="", init=False)  # of the format term
    columns: int = field(default=0, init=False)  # of the row in which it was looked for last

    def currency(self, metrics: Mapping[str, float]) -> Curve | None:
        """The form that has been bought."""
        self.unanswered.append_metric(metrics, UNANSWERED)
        if not self.name and len(metrics) != self.columns:
            self.columns = len(metrics)
            self.name = next((one for one in metrics if FORMAT.match(one)), "")
        self.term.append_metric(metrics, self.name)
        if self._gain(self.term) >= self.moved:
            return self.term
        return self.unanswered if -self._gain(self.unanswered) >= self.moved else None

    def is_silent(self, log: WholeLog) -> bool:
        """No form is logged."""
        return UNANSWERED not in log.names and not any(map(FORMAT.match, log.names))

    def price(self) -> str:
        """Which form has been bought."""
        more = self._gain(self.term)
        if more >= self.moved:
            return f"{self.name} rose by {more:.2g}"
        return f"the share without an answer fell by {-self._gain(self.unanswered):.2g}"

    def _gain(self, curve: Curve) -> float:
        return curve.gain(self.window, self.late(curve))


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        FormatBought(
            severity="warning",
            errors=4.0,
            rise=0.1,
            window=8,
            patience=5,
            lasting=0.2,  # of the run: the answers come after the form, but not so long after
            planned=facts.planned,
            responses=facts.responses,
            moved=0.1,  # a tenth of the responses
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "no reward for the form, or a smaller one", "reward.format=0"),
        Remedy("give the format term only where the answer is right"),
        Remedy("a start that has the form already: fine-tune on worked solutions"),
    )


FORMAT_BOUGHT = Failure(
    name="format_bought",
    meaning="Reward rises because responses have the right form, not because they are right.",
    needs=((ACCURACY,), (REWARD,)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2501.12948",),
)
