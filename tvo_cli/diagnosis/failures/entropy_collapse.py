"""Entropy collapse: the policy's entropy has run out, or will before the run ends, on a task that is not solved.

The level alone says little: accuracy is bought with entropy, R = −a·e^H + b (arXiv:2505.22617), and a solved task
needs none. So the floor of conf/stability is excused on a task that is solved within the error of its accuracy, and
what warns early is the arrival time: log H is followed over three windows, a fall that slows down is extrapolated as
one, and the steps until it is at the floor are compared with those that are left.
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
from tvo_cli.diagnosis.trend_rule import UnsolvedTrendRule, append_metric
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach

ENTROPY = "policy/entropy"
RESOLVED = 1e-6  # nats: a smaller fall of log H is rounding


@dataclass(kw_only=True)
class EntropyArrival(UnsolvedTrendRule):
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
        if value is None or end < 3 * window or self.is_solved():
            return None
        start, now = self.curve.mean(0, 3), self.curve.mean(end - window, end)
        levels = [self.curve.mean(end - back * window, end - (back - 1) * window) for back in (3, 2, 1)]
        if min(start, *levels) <= 0.0 or now > (1.0 - self.lost) * start:
            return None
        return self._arrives(start, now, math.log(levels[0] / levels[1]), math.log(levels[1] / levels[2]))

    def _arrives(self, start: float, now: float, before: float, fall: float) -> RuleBreach | None:
        """Breached where the falls of the windows to come add up to what is left above the floor, in time."""
        step, floor, every = self.curve.steps[-1], self.share * start, self.window * self.curve.spacing()
        left = (self.planned - step) if self.planned else step  # as long again as it has run
        windows = windows_until_entropy_collapse(math.log(max(now / floor, 1.0)), fall, before)
        if windows * every >= left or self._solved_by(windows * every):
            return None
        reason = f"has fallen from {start:.3g} and is at the floor in {windows * every:.0f} of {left} steps"
        return RuleBreach(ENTROPY, now, floor, reason)

    def _solved_by(self, steps: float) -> bool:
        end, window = len(self.success), self.window
        if end < 2 * window:
            return False
        now = self.success.mean(end - window, end)
        rise = (now - self.success.mean(end - 2 * window, end - window)) / (window * self.success.spacing())
        return now + rise * steps >= self.solved


def windows_until_entropy_collapse(need: float, fall: float, before: float) -> float:
    """Return the windows until falls of log H add up to `need`, each `fall`/`before` of the one before it, at most 1.

    Σ_{i=1..k} fall·q^i = need, q = min(fall/before, 1): k = log(1 − need·(1 − q)/(fall·q))/log q; infinite where a fall
    that slows down never gets there.
    """
    if need <= 0.0:
        return 0.0
    if fall <= RESOLVED:
        return math.inf
    ratio = fall / before if before > fall else 1.0
    if ratio == 1.0:
        return need / fall
    left = 1.0 - need * (1.0 - ratio) / (fall * ratio)
    return math.log(left) / math.log(ratio) if left > 0.0 else math.inf


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        live_rule("entropy_floor", responses=facts.responses),
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
