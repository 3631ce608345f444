"""Gradient spikes: a gradient norm far above its running median.

The live rule `gradient_blow_up`. Under Adam one large gradient inflates the second moment for 1/(1 − β₂) updates
(arXiv:2304.09871 on loss spikes of large models). What reaches Adam is the gradient after clipping (arXiv:1211.5063),
so where the clip c is known the norm counts as min(‖g‖, c): a run that clips near its usual norm has the remedy
already, and a spike costs it the direction of one step. Excused where the task is solved or the run holds its best:
there most norms are small, for few answers are wrong, and an ordinary gradient stands out; what it costs, falls tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.live_rules import live_rule
from tvo_cli.diagnosis.setting_changes import change, ours, smaller_steps
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.collapse_rules import GradientBlowUp
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, finite_metric
from tvo_cli.stability.solved_task import DOUBT, KEPT, LEAST, SOLVED, is_solved
from tvo_cli.stability.step_accuracy import HELDOUT, WINDOW, accuracy_of_step, mean_with_error

NORM = "gradient/norm"


@dataclass(kw_only=True)
class CostlySpike(GradientBlowUp):
    """A blow-up of the gradient of a run that has not solved its task, and does not hold what it has learnt."""

    solved: float
    held: float
    clip: float | None = None  # the norm that gradients are cut to; None: they are not, or nobody knows
    responses: int | None = None
    accuracies: list[float] = field(default_factory=list, init=False)  # of the last two windows
    best: float = field(default=0.0, init=False)  # the highest mean of a window
    heldout: float | None = field(default=None, init=False)

    @property
    def waits_for(self) -> str:
        """Accuracies too."""
        return ""

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Above the threshold, and not excused."""
        accuracy, held = accuracy_of_step(metrics), finite_metric(metrics, HELDOUT)
        self.heldout = self.heldout if held is None else held
        if accuracy is not None:
            self.accuracies.append(accuracy)
            if len(self.accuracies) > 2 * WINDOW:
                del self.accuracies[0]
            if len(self.accuracies) >= WINDOW:
                self.best = max(self.best, math.fsum(self.accuracies[-WINDOW:]) / WINDOW)
        found = super().breach(metrics)
        return None if found is None or self._is_excused() else found

    def norm(self, metrics: Mapping[str, float]) -> float | None:
        """The norm after clipping."""
        value = super().norm(metrics)
        return value if value is None or self.clip is None else min(value, self.clip)

    def _is_excused(self) -> bool:
        """Solved, or held; a run that still rises may be thrown back."""
        if is_solved(self.accuracies, self.responses, self.heldout, self.solved):
            return True
        if len(self.accuracies) < WINDOW:
            return False
        level, error = mean_with_error(self.accuracies, self.responses)
        return level + DOUBT * error >= max(self.held, KEPT * self.best)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    known = {"solved": SOLVED, "held": LEAST, "clip": facts.gradient_clip, "responses": facts.responses}
    return (live_rule("gradient_blow_up", CostlySpike, **known),)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "gradient clip", "clip the gradient's norm near its median", value=_near_median(finding)),
        ours(facts, "see whose gradient it was", "recorder.on_collapse=true"),
        smaller_steps(facts),
    )


def _near_median(finding: Finding) -> str | None:
    """Return twice the running median as a clip: the rule's threshold is twenty of it."""
    threshold = finding.evidence.get("threshold")
    return None if not threshold else f"{threshold / 10.0:.2g}"


GRADIENT_SPIKE = Failure(
    name="gradient_spike",
    meaning="A gradient was far larger than usual.",
    needs=((NORM,),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2304.09871", "arXiv:1211.5063"),
)
