"""Composition of several rewards: one is bought with another; the sum rises while one of its terms falls.

A weighted sum hides which of its terms moves; the easiest is learnt first, at the cost of others where they conflict
(reward weighting by hypervolume or by gradients is meant for that: docs/own-reward.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD
from tvo_cli.stability.whole_log import WholeLog

TERM = re.compile(r"reward/(?!mean$|std$|factor$|min$|max$|median$)[^/]+$")


@dataclass(kw_only=True)
class TermBought(TrendRule):
    """The sum rose and a term fell, each by `errors` standard errors and by `moved` of its size."""

    errors: float
    moved: float
    window: int
    reward: Curve = field(default_factory=Curve, init=False)
    terms: dict[str, Curve] = field(default_factory=dict, init=False)
    seen: set[str] = field(default_factory=set, init=False)  # all columns so far

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """One term is paid for by another."""
        value = self.reward.append_metric(metrics, REWARD)
        if not self.seen.issuperset(metrics):
            self._find_terms(metrics)
        for name, curve in self.terms.items():
            curve.append_metric(metrics, name)
        if value is None or len(self.terms) < 2 or not self._moved(self.reward, 1.0):
            return None
        fallen = [name for name, curve in self.terms.items() if self._moved(curve, -1.0)]
        return self._bought(fallen[0]) if fallen else None

    def is_silent(self, log: WholeLog) -> bool:
        """Fewer than two terms are logged."""
        return sum(name == ACCURACY or TERM.match(name) is not None for name in log.names) < 2

    def _find_terms(self, metrics: Mapping[str, float]) -> None:
        """Begin the curves of terms that are logged for the first time."""
        for name in metrics.keys() - self.seen:
            self.seen.add(name)
            if name == ACCURACY or TERM.match(name):
                self.terms[name] = Curve()

    def _bought(self, name: str) -> RuleBreach:
        curve = self.terms[name]
        change, _ = curve.change(self.window)
        start = curve.mean(0, self.window)
        self.since = curve.steps[min(self.window, len(curve) - 1)]
        return RuleBreach(name, start + change, start, f"has fallen from {start:.3g} while the whole reward rose")

    def _moved(self, curve: Curve, sign: float) -> bool:
        size = max(abs(curve.mean(0, min(self.window, len(curve)))), 0.1) if len(curve) else 1.0
        if sign * curve.gain(self.window) < self.moved * size:
            return False
        change, error = curve.change(self.window)
        return sign * change >= self.errors * error

    def state_dict(self) -> dict[str, Any]:
        """As of any rule, with the terms' curves."""
        terms = {name: curve.state_dict() for name, curve in self.terms.items()}
        return super().state_dict() | {"terms": terms, "seen": sorted(self.seen)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""
        terms = {name: Curve.of(**values) for name, values in state["terms"].items()}
        super().load_state_dict({**state, "terms": terms, "seen": set(state["seen"])})


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        TermBought(
            severity="warning",
            errors=4.0,  # of several terms one may move by chance
            moved=0.2,  # a fifth: less is a trade that one may want
            window=8,
            patience=5,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "weigh the terms so that none is paid for by another", "reward.weighting=hypervolume"),
        Remedy("a larger weight for the term that falls, or give the others only where the answer is right"),
    )


REWARD_COMPOSITION = Failure(
    name="reward_composition",
    meaning="Of several rewards one rises at the cost of another.",
    needs=((REWARD,),),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/own-reward.md",),
)
