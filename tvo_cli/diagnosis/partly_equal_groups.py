"""Groups of which some are all right and some all wrong: the run goes on, and most of its rollouts teach nothing.

A group teaches if its rewards differ; a share z of groups that do not costs 1/(1 − z) times the rollouts for the same
gradient (DAPO draws groups until enough teach, arXiv:2503.14476). It is a failure where the run gains nothing besides:
a run that learns from a sparse start has such a share for a while, and one that holds a solved task keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tvo_cli.diagnosis.curve import Curve
from tvo_cli.diagnosis.equal_groups import RIGHT, ZERO, EqualGroupsRule, equal_share
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import RuleBreach
from tvo_cli.stability.solved_task import DOUBT, LEAST
from tvo_cli.stability.step_accuracy import accuracy_or_reward_name, share_standard_error
from tvo_cli.stability.whole_log import ROUNDING, WholeLog


@dataclass(kw_only=True)
class PartlyEqualGroups(EqualGroupsRule):
    """Over a stretch of steps `share` of the groups teach nothing, most of them of one kind, and nothing is gained.

    The stretch: `window` steps, or `lasting` of those that were asked for. Gained: the second half of it is surely
    above the first, or it is too noisy to see a gain of `gain`. Excused from an accuracy of `held` on.
    """

    kind: str  # RIGHT or WRONG: the groups that prevail
    share: float
    lasting: float
    gain: float
    held: float
    planned: int | None = None
    responses: int | None = None
    success: Curve = field(default_factory=Curve, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Most teach nothing, and nothing is gained."""
        self.success.append_metric(metrics, accuracy_or_reward_name(metrics))
        self.follow(metrics)
        half, end = self._half(), len(self.equal)
        if end < 2 * half or len(self.success) < end or (ZERO not in metrics and RIGHT not in metrics):
            return None
        equal = self.equal.mean(end - 2 * half, end)
        if not self.share <= equal < self.limit:
            return None
        right = self.right.mean(end - 2 * half, end)
        prevails = right >= equal - right if self.kind == RIGHT else right < equal - right
        if not prevails or self._gains(half):
            return None
        self.since = self.equal.steps[end - 2 * half]
        said = "groups teach nothing and nothing is gained"
        reason = said if self.fires else f"{said}: {equal - right:.0%} are all wrong, {right:.0%} all right"
        return RuleBreach(ZERO, equal, self.share, reason, 2 * half)

    def is_silent(self, log: WholeLog) -> bool:
        """Never such a share."""
        return max(log.reading(equal_share), default=0.0) < self.share * (1.0 - ROUNDING)

    def _half(self) -> int:
        steps = self.lasting * (self.planned or (self.equal.steps[-1] if len(self.equal) else 0))
        return max(self.window, int(steps / self.equal.spacing())) // 2 if len(self.equal) else self.window

    def _gains(self, half: int) -> bool:
        end = len(self.success)
        now = self.success.mean(end - half, end)
        change, error = self.success.change(half, share_standard_error(now, self.responses), first=end - 2 * half)
        told = min(self.gain, now / 2.0)  # of a sparse start half of what it has is a gain
        return now >= self.held or change > DOUBT * error or DOUBT * error > told


def partly_equal_groups(facts: RunFacts, kind: str) -> PartlyEqualGroups:
    """Return the rule for groups that are all right or all wrong."""
    return PartlyEqualGroups(
        severity="warning",
        kind=kind,
        least=1.0,
        share=2 / 3,  # three times the rollouts for the same gradient
        window=20,  # steps
        lasting=0.25,  # a quarter of the run
        gain=0.05,  # points: as for a plateau
        held=LEAST,
        patience=3,
        prompts=facts.prompts,
        planned=facts.planned,
        responses=facts.responses,
    )
