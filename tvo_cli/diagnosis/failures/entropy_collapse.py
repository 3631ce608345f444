"""Entropy collapse: the policy's entropy has run out, or will before the run ends, on a task that is not solved.

The level alone says little: accuracy is bought with entropy, R = −a·e^H + b (arXiv:2505.22617), and a solved task
needs none. So the floor of conf/stability is excused on a task that is solved within the error of its accuracy, and
what warns early is the arrival time: log H is followed over three windows, a fall that slows down is extrapolated as
one, and the steps until it is at the floor are compared with those that are left. The windows grow with the run, and no
forecast goes further than the steps that it rests on: what ten steps show says nothing of a thousand.
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
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.solved_task import DOUBT, LEAST, SOLVED, ExcusedRule
from tvo_cli.stability.step_accuracy import accuracy_of_step
from tvo_cli.stability.whole_log import WholeLog

ENTROPY = "policy/entropy"
HORIZON = 3.0  # windows: as many as the forecast rests on
RESOLVED = 1e-6  # nats: a smaller fall of log H is rounding


@dataclass(kw_only=True)
class EntropyArrival(ExcusedRule, TrendRule):
    """Entropy falls so fast that it is at `share` of its start before the run ends, and has lost `lost` already.

    So fast: by the fall of the last window less DOUBT of its standard errors. Excused as the floor itself is: solved,
    held, or rising; and where accuracy rises fast enough to be solved by then.
    """

    share: float
    lost: float
    window: int
    spans: float
    planned: int | None = None
    curve: Curve = field(default_factory=Curve, init=False)
    logs: Curve = field(default_factory=Curve, init=False)  # of the entropy
    success: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Arrives within the steps that are left."""
        self.follow(metrics)
        accuracy = accuracy_of_step(metrics)
        if accuracy is not None:
            self.success.append(int(metrics["step"]), accuracy)
        value = self.curve.append_metric(metrics, ENTROPY)
        if value is None or value <= 0.0:
            return None
        self.logs.append(int(metrics["step"]), math.log(value))
        window, end = self._window(), len(self.logs.values)
        if end < 3 * window:
            return None
        start, now = self.curve.mean(0, 3), math.exp(self.logs.mean(end - window, end))
        if now > (1.0 - self.lost) * start or self.is_excused():
            return None
        return self._arrives(start, now, window)

    def is_silent(self, log: WholeLog) -> bool:
        """Never has so much of the start been lost."""
        first = log.column(ENTROPY)[:3]
        return len(first) < 3 or log.never_below(ENTROPY, (1.0 - self.lost) * math.fsum(first) / 3)

    def _window(self) -> int:
        return max(self.window, int(self.spans * len(self.logs.values)))

    def _level(self, back: int) -> float:
        """The mean log H of a window, so many windows back."""
        window, end = self._window(), len(self.logs)
        return self.logs.mean(max(end - back * window, 0), max(end - (back - 1) * window, 1))

    def _arrives(self, start: float, now: float, window: int) -> RuleBreach | None:
        """Breached where the falls of the windows to come add up to what is left above the floor, in time."""
        step, floor, every = self.logs.steps[-1], self.share * start, window * self.logs.spacing()
        left = min(self.planned - step, HORIZON * every) if self.planned else HORIZON * every
        windows = self._windows_until(math.log(max(now / floor, 1.0)), window)
        if windows * every >= left or self._solved_by(windows * every):
            return None
        reason = f"has fallen from {start:.3g} and is at the floor in {windows * every:.0f} of {left} steps"
        return RuleBreach(ENTROPY, now, floor, reason, window)

    def _windows_until(self, need: float, window: int) -> float:
        """The windows until log H has fallen by `need`, as the last three fall; 0 at the floor."""
        if need <= 0.0:
            return 0.0
        before, fall = self._level(3) - self._level(2), self._level(2) - self._level(1)
        _, error = self.logs.change(window, first=len(self.logs) - 2 * window)
        return windows_until_entropy_collapse(need, fall - DOUBT * error, max(before, fall))

    def _solved_by(self, steps: float) -> bool:
        end, window = len(self.success), self._window()
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
            spans=1 / 6,  # of the run so far: the three windows are its second half
            solved=SOLVED,
            held=LEAST,  # as of the floor
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
