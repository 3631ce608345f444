"""Step rule at its limit: the viscosity stands at the largest value that it may have, and cannot hold the step.

θ ← θ − (η/ν)·P·∇L: a controller at its bound controls nothing; the learning rate is out of its reach (docs/tvo.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric
from tvo_cli.stability.whole_log import ROUNDING, WholeLog

VISCOSITY, TV, SET_POINT = "thermo/viscosity", "policy/tv", "thermo/set_point"


@dataclass(kw_only=True)
class ViscosityLimit(CollapseRule):
    """ν at `maximum` or above while the policy still moves by more than `factor` set points.

    Where no set point of the movement is logged (a rule that aims at a KL) nobody can say that it is missed.
    """

    maximum: float
    factor: float

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """At the bound."""
        value = finite_metric(metrics, VISCOSITY)
        moved, aim = finite_metric(metrics, TV), finite_metric(metrics, SET_POINT)
        if value is None or value < self.maximum or moved is None or not aim or moved <= self.factor * aim:
            return None
        return RuleBreach(VISCOSITY, value, self.maximum, "is at its limit, and the policy moves more than is aimed at")

    def is_silent(self, log: WholeLog) -> bool:
        """Never near the bound."""
        return log.never_above(VISCOSITY, self.maximum * (1.0 - ROUNDING))


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    maximum = facts.settings.get("algorithm.step_rule.maximum")
    if isinstance(maximum, bool) or not isinstance(maximum, int | float):
        return ()
    # Not within twice its aim for five steps: the controller corrects within two.
    return (ViscosityLimit(severity="warning", maximum=float(maximum), factor=2.0, patience=5),)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    limit = finding.evidence.get("threshold", 256.0)
    return smaller_steps(facts), ours(facts, "a higher limit", f"algorithm.step_rule.maximum={4.0 * limit:g}")


STEP_RULE_LIMIT = Failure(
    name="step_rule_limit",
    meaning="The viscosity is at its limit: the learning rate is out of the step rule's reach.",
    needs=((VISCOSITY,), (TV,), (SET_POINT,)),
    rules=_rules,
    remedies=_remedies,
    sources=("docs/tvo.md",),
)
