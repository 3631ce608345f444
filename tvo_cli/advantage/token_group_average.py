"""HAPO's advantage: a group's statistics are of its tokens, so that their advantages sum to 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.advantage.estimator import StatelessEstimator
from tvo_cli.advantage.group_baseline import GroupNormalised
from tvo_cli.maths import groups
from tvo_cli.types import Advantage, Experience


@dataclass(slots=True)
class TokenGroupAverage(StatelessEstimator):
    """Â_it = (R_i − mean)/(std + ε), mean and std (of n) over all response tokens of a group, a_it = R_i.

    HAPO, Liu et al. 2025, arXiv:2509.16591, its token-level group average. The advantages of a group's tokens sum to
    0. A group in which one is as large as `largest` gets GRPO's instead. κ as GRPO's. With responses of one length it
    is GRPO's with the standard deviation of n.

    Fidelity: official code (agreement with it to 1e-12 on random batches of rewards 0 and 1; the released code looks
    for |Â| ≥ `largest` on padding too, where it takes the reward for 0, so that a group with padding and rewards that
    are far from 0 beside their spread, as an overlong penalty makes them, gets GRPO's; here response tokens decide).
    """

    minimum_samples: ClassVar[int] = 2
    epsilon: float
    largest: float  # |Â| from which a group gets GRPO's; infinity: never

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        ordinary = GroupNormalised(self.epsilon)(experience)
        normal = self._normalised(experience)
        too_large = groups.group_maximum(normal.abs(), experience.group) >= self.largest
        chosen = torch.where(too_large[experience.group][:, None], ordinary.values, normal[:, None] * experience.mask)
        return Advantage(chosen, scale=ordinary.scale)

    def _normalised(self, experience: Experience) -> Tensor:
        """(R_i − mean)/(std + ε) of each response, [B]; exactly 0 in a group of equal rewards."""
        rewards, group = experience.rewards, experience.group
        length = experience.mask.sum(1).to(rewards.dtype)
        tokens = groups.group_sum(length, group).clamp(min=1)
        mean = groups.group_sum(rewards * length, group) / tokens
        centred = torch.where(groups.is_homogeneous(rewards, group)[group], 0.0, rewards - mean[group])
        spread = (groups.group_sum((rewards - mean[group]).square() * length, group) / tokens).sqrt()
        return centred / (spread[group] + self.epsilon)
