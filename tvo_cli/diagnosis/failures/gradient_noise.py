"""Gradient below its noise: the batch is far smaller than the noise scale, and the run makes no progress.

B = tr Σ/‖g‖² is the batch at which noise and signal are equal (McCandlish et al., arXiv:1812.06162); with N ≪ B a step
is a random walk of which N/B is drift. In reinforcement learning B exceeds N in healthy runs too: in the demo of the
embedded task by twenty to a hundred times, where it can be told at all. So the finding needs both: far above, and no
gain where such a stretch would show one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.equal_groups import FEW_GROUPS, ZERO
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import UnsolvedTrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric
from tvo_cli.stability.step_accuracy import ACCURACY, REWARD, accuracy_or_reward_name, share_standard_error
from tvo_cli.stability.whole_log import WholeLog

SCALE = "gradient/noise_scale"


@dataclass(kw_only=True)
class NoisyGradient(UnsolvedTrendRule):
    """The noise scale has been above `factor` batches over `window` steps in which the reward gained nothing."""

    factor: float
    window: int
    gain: float
    scale: Curve = field(default_factory=Curve, init=False)  # its logarithm
    reward: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Noise without progress."""
        self.follow(metrics)
        self.reward.append_metric(metrics, accuracy_or_reward_name(metrics))
        value = finite_metric(metrics, SCALE)
        if value is None:
            return None
        self.scale.append(int(metrics["step"]), math.log(max(value, 1.0)))
        end = len(self.scale)
        if not self.responses or end < self.window or len(self.reward) < self.window:
            return None
        typical = math.exp(self.scale.mean(end - self.window, end))
        threshold = self.factor * self.responses
        if typical <= threshold or metrics.get(ZERO, 0.0) >= FEW_GROUPS or self._gains() or self.is_solved():
            return None
        self.since = self.scale.steps[end - self.window]
        reason = (
            f"is {typical / self.responses:.0f} batches of {self.responses}, and {self.window} steps gained nothing"
        )
        return RuleBreach(SCALE, typical, threshold, reason, self.window)

    def is_silent(self, log: WholeLog) -> bool:
        """Never a hundred batches, or however many are too many."""
        return not self.responses or log.never_above(SCALE, self.factor * self.responses)

    def _gains(self) -> bool:
        half, end = self.window // 2, len(self.reward)
        level = self.reward.mean(end - half, end)
        change, error = self.reward.change(half, share_standard_error(level, self.responses), first=end - self.window)
        return change > error or error > self.gain  # or too noisy to say


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        NoisyGradient(
            severity="warning",
            factor=100.0,  # batches: a step is 99% noise
            window=40,  # steps: the smoothed scale remembers twenty
            gain=0.02,  # the error at which a gain of two points in twenty steps would be seen
            patience=5,
            responses=facts.responses,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "samples", "more responses a step", factor=4.0),
        ours(facts, "a baseline of less variance", "algorithm=tvo"),
        ours(facts, "only groups that teach: dynamic sampling", "algorithm=dapo"),
        Remedy("measure it at fixed parameters: tvo variance"),
    )


GRADIENT_NOISE = Failure(
    name="gradient_noise",
    meaning="The gradient is far below its noise at this batch size, and the run makes no progress.",
    needs=((SCALE,), (ACCURACY, REWARD)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:1812.06162", "docs/metrics.md"),
)
