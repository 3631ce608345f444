"""TVO's baseline: the leave-one-out mean shrunk to the mean of the other prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tvo_cli.advantage.estimator import batch_scale
from tvo_cli.maths import groups
from tvo_cli.maths.masked import spread_over_tokens
from tvo_cli.types import Advantage, Experience


@dataclass(slots=True)
class ShrunkLeaveOneOut:
    """Â_i = κ (R_i − (1 − λ_i)·loo_i − λ_i·others_i),  λ = (w/(G−1)) / (w/(G−1) + τ²).

    James–Stein shrinkage of a group's mean (quenched: of this prompt) to the mean over the *other* prompts of
    the same data source. w is the variance of R within a group, τ² that of the groups' true means; both are
    averages over earlier batches, so the baseline holds nothing of sample i and the estimate is unbiased.
    docs/tvo.md, section 7. κ = 1/rms(Â) over the batch when `normalise`, else 1; 1 where all Â are 0.

    Fidelity: notes (this project's, docs/tvo.md).

    τ² = infinity recovers leave-one-out, τ² = 0 the mean of the other prompts; G = 1 forces λ = 1.
    """

    minimum_samples: ClassVar[int] = 1
    minimum_prompts: ClassVar[int] = 2
    needs_critic: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = False
    of_whole_batch: ClassVar[bool] = True

    within: float  # w, reward²
    between: float  # τ², reward²
    decay: float  # of the averages of w and τ², a batch
    normalise: bool
    epsilon: float
    floor: float = 1e-3  # least τ², reward²

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        difference = experience.rewards - self.baseline(experience)
        rms = float(difference.square().mean().sqrt())
        scale = batch_scale(rms, self.epsilon) if self.normalise else 1.0
        return Advantage(spread_over_tokens(difference * scale, experience.mask), scale=scale)

    def baseline(self, experience: Experience) -> Tensor:
        """(1 − λ)·loo + λ·others, [B]; only the one that exists when the other does not."""
        rewards, group = experience.rewards, experience.group
        own = groups.leave_one_out_mean(rewards, group)
        others, rows = groups.other_groups_mean(rewards, group, experience.source)
        noise = self.within / (groups.group_size(group)[group] - 1).to(rewards.dtype)  # infinite for G = 1
        shrink = (1.0 / (1.0 + self.between / noise)).where(noise.isfinite(), noise.new_ones(()))
        shrink = shrink.where(rows > 0, shrink.new_zeros(()))
        return (1.0 - shrink) * own + shrink * others

    def end_batch(self, experience: Experience) -> None:
        """Learn w and τ² from this batch, for the next."""
        rewards, group = experience.rewards, experience.group
        size = groups.group_size(group)
        if int(size.min()) < 2 or len(size) < 2:
            return
        within = float(groups.group_variance(rewards, group).mean())
        between = float(groups.group_mean(rewards, group).var()) - within / float(size.float().mean())
        self.within = self.decay * self.within + (1.0 - self.decay) * within
        self.between = self.decay * self.between + (1.0 - self.decay) * max(between, self.floor)

    def state_dict(self) -> dict[str, float]:
        """w and τ²."""
        return {"within": self.within, "between": self.between}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.within, self.between = state["within"], state["between"]
