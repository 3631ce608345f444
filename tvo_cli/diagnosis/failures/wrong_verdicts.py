"""Wrong verdicts: the held-out problems are solved, and the training problems stay below them by a fixed share.

A verifier that turns the verdicts of a share ε of the problems round, or golds that are wrong, shows an accuracy
a' = a + ε(1 − 2a) where a is the true one: nothing at a = ½, and 1 − ε where the task is solved, below which the
held-out accuracy, whose verdicts are right, does not stop (label noise caps a classifier's accuracy in the same way:
Northcutt et al., arXiv:2103.14749). So a log shows it of a solved task only; below, what there is is ε(1 − 2a)
beside the errors of both accuracies: docs/results/diagnosis.md has the power. Where responses were kept they are graded
again instead (graded_again.py), which needs neither. A temperature of the evaluation below
that of training parts the two as well, but not where both should be right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.repeated_testing import errors_for_looks
from tvo_cli.diagnosis.setting_changes import ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.diagnosis.trend_rule import TrendRule
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach
from tvo_cli.stability.solved_task import DOUBT, SOLVED
from tvo_cli.stability.step_accuracy import ACCURACY, HELDOUT, heldout_standard_error, share_standard_error
from tvo_cli.stability.whole_log import ROUNDING, WholeLog


@dataclass(kw_only=True)
class CappedAccuracy(TrendRule):
    """Held-out accuracy is `solved`, that of the last `window` steps below it by `gap` and by `errors` errors.

    The held-out accuracy is the lower of the last two evaluations, for the steps lie before the last one; and that of
    the steps stands: it does not rise beyond DOUBT of its errors, as it does where a run is still on its way.
    """

    reads_refused: ClassVar[bool] = True
    solved: float
    gap: float
    errors: float
    window: int
    responses: int | None = None
    success: Curve = field(default_factory=Curve, init=False)
    heldout: Curve = field(default_factory=Curve, init=False)
    found: RuleBreach | None = field(default=None, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Capped, at the latest evaluation."""
        self.success.append_metric(metrics, ACCURACY)
        held = self.heldout.append_metric(metrics, HELDOUT)
        if held is not None:
            self.found = self._capped(min(self.heldout.values[-2:]), heldout_standard_error(metrics))
        return self.found

    def is_silent(self, log: WholeLog) -> bool:
        """Never solved on held-out problems."""
        return log.never_above(HELDOUT, self.solved * (1.0 - ROUNDING))

    def _capped(self, held: float, held_error: float) -> RuleBreach | None:
        end, window = len(self.success), self.window
        if held < self.solved or end < 2 * window or len(self.heldout) < 2:
            return None
        now = self.success.mean(end - window, end)
        noise = max(self.success.noise(end - window, end), share_standard_error(now, self.responses))
        rise, rise_error = self.success.change(window, first=end - 2 * window)
        error = math.hypot(noise / math.sqrt(window), held_error)
        sure = errors_for_looks(self.errors, len(self.heldout))
        if held - now < max(self.gap, sure * error) or rise > DOUBT * rise_error:
            return None
        self.since = self.success.steps[end - window]
        reason = f"stands at that, while held-out accuracy is {held:.3g}: a share of about {held - now:.2g} is capped"
        return RuleBreach(ACCURACY, now, held - self.gap, reason, window)


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return (
        CappedAccuracy(
            severity="warning",
            solved=SOLVED,
            gap=0.05,  # points: a twentieth of the verdicts; less is the difference of two samples of problems
            errors=3.0,
            window=8,
            patience=1,
            responses=facts.responses,
        ),
    )


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        Remedy("read the problems whose answers are all wrong: is the gold right, does the verifier read the answer?"),
        ours(facts, "have a second grader judge", "reward.audit=true"),
        Remedy("leave those problems out, or mend their golds"),
    )


WRONG_VERDICTS = Failure(
    name="wrong_verdicts",
    meaning="A share of the verdicts is wrong: graded again they differ, or solved problems stay below held-out ones.",
    needs=((ACCURACY,), (HELDOUT,)),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2103.14749",),
)
