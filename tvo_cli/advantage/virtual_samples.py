"""AVSPO's advantage: rewards that nobody sampled enter a group's statistics where all its own are equal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.maths import groups
from tvo_cli.maths.masked import spread_over_tokens
from tvo_cli.types import Advantage, Experience


@dataclass(slots=True)
class VirtualSamples:
    """Â_i = (R_i − mean_g)/(std_g + ε), of n; in a group of equal rewards R over R and K virtual rewards.

    AVSPO, He et al. 2026, arXiv:2605.21125, eqs. 6 to 10. ACR is the share of groups whose rewards are all equal. Only
    while ACR exceeds the threshold τ do virtual rewards act: K = max(1, min(G, ⌈G·ACR^α⌉)) of them, R(1 − k/(K + 1))
    where R > 0 and anchor·(K − k + 1)/K where R = 0, k = 1 … K. They get no gradient. So a group that is all right is
    reinforced and one that is all wrong is pushed away from, with one advantage of at most √(K/G) for all of it.
    τ ← τ + η·sign(ΔJ)·(ACR − τ) first, J the batch's mean reward, from the second batch on.

    Fidelity: notes (two restatements of the paper's equations, one with their numbers, agree; the authors' repository
    holds no code; ε, and what happens with a reward below 0, were not seen: there the group is left alone).

    `anchor` is the height of the virtual rewards of a group that is all wrong. It scales all of the pool, so the
    z-scores do not depend on it but by ε: only that it is above 0 matters. The key is the paper's.

    alpha = 0 gives K = G; threshold 1 and rate 0 recover GRPO's with the standard deviation of n, and with `unbiased`
    GRPO's, bit for bit.
    """

    minimum_samples: ClassVar[int] = 2
    minimum_prompts: ClassVar[int] = 1
    needs_critic: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = False
    teaches_equal_rewards: ClassVar[bool] = True
    of_whole_batch: ClassVar[bool] = True  # ACR is

    epsilon: float
    alpha: float
    anchor: float  # above 0; its value cancels
    threshold: float  # τ
    rate: float  # η
    unbiased: bool = False  # of groups that are not equal: the standard deviation of n − 1, as GRPO's
    previous: float | None = None  # J of the batch before

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewards, group = experience.rewards, experience.group
        equal = groups.is_homogeneous(rewards, group)
        collapsed = float(equal.double().mean())
        centred = groups.group_centred(rewards, group)
        spread = self._variance(rewards, centred, group).sqrt()
        normal = centred / (spread[group] + self.epsilon)
        if collapsed > self.threshold_for(collapsed, float(rewards.mean())):
            normal = torch.where(equal[group], self._of_equal_groups(rewards, group, collapsed), normal)
        size, raw = (float(x.square().mean().sqrt()) for x in (normal, centred))
        return Advantage(spread_over_tokens(normal, experience.mask), scale=size / raw if raw > 0 and size > 0 else 1.0)

    def _variance(self, rewards: Tensor, centred: Tensor, group: Tensor) -> Tensor:
        return groups.group_variance(rewards, group) if self.unbiased else groups.group_mean(centred.square(), group)

    def _of_equal_groups(self, rewards: Tensor, group: Tensor, collapsed: float) -> Tensor:
        """Â of each response if its group's rewards were all equal to its own, [B]."""
        found = {(r, g): self.of_equal(r, g, collapsed) for r, g in self._kinds(rewards, group)}
        size = groups.group_size(group)[group].tolist()
        return rewards.new_tensor([found[kind] for kind in zip(rewards.tolist(), size)])

    @staticmethod
    def _kinds(rewards: Tensor, group: Tensor) -> set[tuple[float, int]]:
        return set(zip(rewards.tolist(), groups.group_size(group)[group].tolist()))

    def of_equal(self, reward: float, size: int, collapsed: float) -> float:
        """Â of every response of a group of `size` equal rewards; 0 of a negative one."""
        if reward < 0:
            return 0.0
        count = max(1, min(size, math.ceil(size * collapsed**self.alpha - 1e-9)))
        virtual = [reward * (1 - k / (count + 1)) if reward else self.anchor * k / count for k in range(1, count + 1)]
        pool = [reward] * size + virtual
        mean = sum(pool) / len(pool)
        spread = math.sqrt(sum((r - mean) ** 2 for r in pool) / len(pool))
        return (reward - mean) / (spread + self.epsilon)

    def threshold_for(self, collapsed: float, mean: float) -> float:
        """τ of a batch of this ACR and mean reward."""
        if self.previous is None:
            return self.threshold
        change = mean - self.previous
        return self.threshold + self.rate * math.copysign(change != 0, change) * (collapsed - self.threshold)

    def end_batch(self, experience: Experience) -> None:
        """Carry τ and the mean reward over."""
        collapsed = float(groups.is_homogeneous(experience.rewards, experience.group).double().mean())
        mean = float(experience.rewards.mean())
        self.threshold, self.previous = self.threshold_for(collapsed, mean), mean

    def state_dict(self) -> dict[str, float]:
        """τ, and J once there was a batch."""
        return {"threshold": self.threshold} | ({} if self.previous is None else {"previous": self.previous})

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.threshold, self.previous = state["threshold"], state.get("previous")
