"""Entropy collapse: the policy's entropy has run out, or will before the run ends, on a task that is not solved.

The level alone says little: accuracy is bought with entropy, R = −a·e^H + b (arXiv:2505.22617), and a solved task
needs none. So the floor of conf/stability is excused on a task that is solved within the error of its accuracy, and
what warns early is the arrival time: entropy falls exponentially (log H is followed over two windows), and the steps
until it is at the floor are compared with those that are left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import UnsolvedRule, append_metric
from tvo_cli.stability.collapse_rules import Floor
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach

ENTROPY = "policy/entropy"


@dataclass(kw_only=True)
class EntropyFloor(UnsolvedRule, Floor):
    """The live rule `entropy_floor`, excused where the task is solved within the error of its accuracy."""

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """At the floor, and not solved."""
        self.follow(metrics)
        found = Floor.breach(self, metrics)
        return None if found is None or self.is_solved() else found


@dataclass(kw_only=True)
class EntropyArrival(UnsolvedRule):
    """Entropy falls so fast that it is at `share` of its start before the run ends, and has lost `lost` already.

    Excused where accuracy rises fast enough to be solved by then.
    """

    share: float
    lost: float
    window: int
    planned: int | None = None
    curve: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Arrives within the steps that are left."""
        self.follow(metrics)
        value, window = append_metric(self.curve, metrics, ENTROPY), self.window
        end = len(self.curve)
        if value is None or end < 2 * window or self.is_solved():
            return None
        start = self.curve.mean(0, 3)
        before, now = self.curve.mean(end - 2 * window, end - window), self.curve.mean(end - window, end)
        if min(start, before, now) <= 0.0 or now >= before or now > (1.0 - self.lost) * start:
            return None
        return self._arrives(start, now, math.log(before / now) / (window * self.curve.spacing()))

    def _arrives(self, start: float, now: float, rate: float) -> RuleBreach | None:
        step, floor = self.curve.steps[-1], self.share * start
        left = (self.planned - step) if self.planned else step  # as long again as it has run
        arrival = math.log(max(now / floor, 1.0)) / rate
        if arrival >= left or self._solved_by(arrival):
            return None
        reason = f"has fallen from {start:.3g} and is at the floor in {arrival:.0f} of {left} steps"
        return RuleBreach(ENTROPY, now, floor, reason)

    def _solved_by(self, steps: float) -> bool:
        end, window = len(self.success), self.window
        if end < 2 * window:
            return False
        now = self.success.mean(end - window, end)
        rise = (now - self.success.mean(end - 2 * window, end - window)) / (window * self.success.spacing())
        return now + rise * steps >= self.solved


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        live_rule("entropy_floor", EntropyFloor, responses=facts.responses),
        EntropyArrival(
            severity="warning",
            share=0.1,  # the floor of `entropy_floor`
            lost=0.5,  # half is gone: below it an exponential through noise is no forecast
            window=10,  # steps: an entropy is a mean over thousands of tokens, its trend is resolved in ten
            patience=5,
            planned=facts.planned,
            responses=facts.responses,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        ours(facts, "hold the entropy: TVO's temperature", "algorithm=tvo"),
        change(facts, "upper clip", "raise the upper clip, which lets rare tokens grow (arXiv:2503.14476)", value=0.28),
        change(facts, "entropy bonus", "a small entropy bonus", value=0.001),
        ours(facts, "clip the tokens of high covariance (arXiv:2505.22617)", "algorithm=clip_cov"),
        smaller_steps(facts),
    )


ENTROPY_COLLAPSE = Failure(
    name="entropy_collapse",
    meaning="The policy's entropy runs out before the run ends, on a task that is not solved.",
    needs=((ENTROPY,),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2505.22617", "arXiv:2503.14476"),
)
