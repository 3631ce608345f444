"""Baselines from the responses of one prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.advantage.estimator import StatelessEstimator, batch_scale
from tvo_cli.advantage.token_rewards import reference_kl_cost
from tvo_cli.maths import groups
from tvo_cli.maths.masked import spread_over_tokens
from tvo_cli.types import Advantage, Experience


@dataclass(slots=True)
class GroupNormalised(StatelessEstimator):
    """GRPO: Â_i = (R_i − mean_g)/(std_g + ε), std with n−1; a group of equal rewards gets exactly 0.

    Shao et al. 2024, arXiv:2402.03300. Its scale κ differs by group; the one reported is rms Â / rms centred R.

    Fidelity: notes (as verl computes it: n−1, ε added to the spread).
    """

    minimum_samples: ClassVar[int] = 2
    epsilon: float

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewards, group = experience.rewards, experience.group
        centred = groups.group_centred(rewards, group)
        normal = centred / (groups.group_variance(rewards, group).sqrt()[group] + self.epsilon)
        return Advantage(
            spread_over_tokens(normal, experience.mask),
            scale=_baseline_ratio_or_one(
                _root_mean_square_around_baseline(normal), _root_mean_square_around_baseline(centred)
            ),
        )


@dataclass(slots=True)
class GroupCentred(StatelessEstimator):
    """Dr.GRPO: Â_i = R_i − mean_g, not divided by the group's spread; 0 for a group of equal rewards. κ = 1.

    Liu et al. 2025, arXiv:2503.20783: the division by std_g gives hard and easy prompts the larger weight.

    Fidelity: official code.
    """

    minimum_samples: ClassVar[int] = 2

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        return Advantage(
            spread_over_tokens(groups.group_centred(experience.rewards, experience.group), experience.mask), scale=1.0
        )


@dataclass(slots=True)
class LeaveOneOut(StatelessEstimator):
    """RLOO: Â_i = R_i − mean of the other responses of the prompt. arXiv:2402.14740. κ = 1.

    R_i ← R_i − c_KL Σ_t (log π_old − log π_ref) first, so that the baseline knows of the KL; kl_coef = 0: without.
    Â_i = G/(G−1) times the centred reward; a group of equal rewards gets exactly 0.

    Fidelity: notes (as verl and OpenRLHF compute it).
    """

    minimum_samples: ClassVar[int] = 2
    kl_coef: float = 0.0

    @property
    def needs_reference(self) -> bool:  # type: ignore[override]
        """Only for the KL inside the reward."""
        return self.kl_coef != 0.0

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewards = experience.rewards
        if self.kl_coef:
            rewards = rewards - self.kl_coef * reference_kl_cost(experience).sum(1)
        baseline = groups.leave_one_out_mean(rewards, experience.group)
        equal = groups.group_centred(rewards, experience.group) == 0
        return Advantage(spread_over_tokens(torch.where(equal, 0.0, rewards - baseline), experience.mask), scale=1.0)


@dataclass(slots=True)
class BatchScaledGroup(StatelessEstimator):
    """TVO without variance pieces: winsorised rewards, group-centred, divided by their std over the batch.

    Â_i = (W_i − mean_g W)/(std_batch(W − mean_g W) + ε), W = R clipped to its batch quantiles
    [tail, 1 − tail] (a no-op when they coincide, and for 0/1 rewards). docs/tvo.md. tail = 0: no clipping. κ is one
    over that spread, and 1 where there is none.

    Fidelity: notes (this project's, docs/tvo.md).
    """

    minimum_samples: ClassVar[int] = 2
    of_whole_batch: ClassVar[bool] = True
    tail: float
    epsilon: float

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewards = winsorised_rewards(experience.rewards, self.tail)
        centred = groups.group_centred(rewards, experience.group)
        scale = batch_scale(float(centred.std()), self.epsilon)
        return Advantage(spread_over_tokens(centred * scale, experience.mask), scale=scale)


def winsorised_rewards(rewards: Tensor, tail: float) -> Tensor:
    """Clip to the batch quantiles [tail, 1 − tail], [B]; unchanged when the two coincide or tail = 0."""
    low, high = (float(torch.quantile(rewards.float(), q)) for q in (tail, 1.0 - tail))
    return rewards.clamp(low, high) if high > low else rewards


def _root_mean_square_around_baseline(x: Tensor) -> float:
    """√(mean of squares) of the rewards less their group baseline: what the batch's advantages are divided by."""
    return float(x.square().mean().sqrt())


def _baseline_ratio_or_one(numerator: float, denominator: float) -> float:
    """The factor by which a group baseline scales, 1 where the denominator is 0."""
    return numerator / denominator if denominator > 0.0 else 1.0
