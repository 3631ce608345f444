"""CANON's advantage: each half of a group, by entropy or by length, is compared with the other half and with itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tvo_cli.advantage.estimator import StatelessEstimator
from tvo_cli.errors import UserError
from tvo_cli.maths import groups, masked
from tvo_cli.maths.masked import spread_over_tokens
from tvo_cli.types import Advantage, Experience

SCHEDULES = ("constant", "accuracy", "accuracy_reversed", "cosine", "cosine_reversed")
WARM_UP, CYCLE = 30, 40  # steps of the cosine with restarts; three cycles in the released run


@dataclass(slots=True)
class ConditionalGroup(StatelessEstimator):
    """Â_i = μ(R_i − mean of the other half) + (1 − μ)(R_i − mean of the own half). κ = 1.

    CANON, arXiv:2509.23962. A group is sorted by its metric, mean token entropy (nats, of the policy that sampled) or
    length, ties in the order sampled; the first ⌊G/2⌋ are the low half. Not divided by a spread. With an even G,
    μ = ½ and handicap 1 it is Dr.GRPO's; μ = 1 asks whether this direction of the metric pays.

    `handicap` α (CANON-Eff) in the comparison with the other half: by length a long response's reward counts α, and so
    does the long half's mean; by entropy the low half's. 1: none.

    `schedule` of 1 − μ: constant; accuracy: 1 − the batch's mean reward, accuracy_reversed: the mean reward;
    cosine: 0.6(t + 1)/30 over 30 steps, then cycles of 40 from 0.6 to 0; cosine_reversed: 1 − that between 1 and 0.4.

    Fidelity: official code (agreement with it to 1e-12 on random batches; it folds the division by the longest length
    into Â, here it is the reduction's; its loss is dual-clipped at 3, the recipe's is not).
    """

    minimum_samples: ClassVar[int] = 2
    metric: str  # "entropy" or "length"
    between: float  # μ of the constant schedule
    handicap: float
    schedule: str

    def __post_init__(self) -> None:
        """Refuse names that mean nothing."""
        for key, value, known in (
            ("metric", self.metric, ("entropy", "length")),
            ("schedule", self.schedule, SCHEDULES),
        ):
            if value not in known:
                raise UserError(f"algorithm.estimator.{key}", value, "is none.", f"Choose {', '.join(known)}.")

    @property
    def of_whole_batch(self) -> bool:  # type: ignore[override]
        """μ follows the batch's mean reward."""
        return self.schedule.startswith("accuracy")

    def __call__(self, experience: Experience) -> Advantage:
        """Estimate Â, [B, T]."""
        rewards, group = experience.rewards, experience.group
        upper = self._is_upper_half(experience)
        low, high = (_mean_of_half(rewards, group, half)[group] for half in (~upper, upper))
        own = torch.where(upper, high, low)
        handicapped = upper if self.metric == "length" else ~upper
        scaled = torch.where(handicapped, self.handicap, 1.0).to(rewards.dtype)
        other = torch.where(upper, low, high) * torch.where(handicapped, 1.0, self.handicap).to(rewards.dtype)
        mix = self.mix(experience)
        value = mix * (scaled * rewards - other) + (1 - mix) * (rewards - own)
        equal = groups.is_homogeneous(rewards, group)[group] & (self.handicap == 1.0)
        return Advantage(spread_over_tokens(torch.where(equal, 0.0, value), experience.mask), scale=1.0)

    def _is_upper_half(self, experience: Experience) -> Tensor:
        """Which responses are in the high half of their group, bool [B]."""
        found, group = self._metric_of_responses(experience), experience.group
        order = found.argsort(stable=True)
        order = order[group[order].argsort(stable=True)]  # by group, then by metric, then as sampled
        size = groups.group_size(group)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device) - (size.cumsum(0) - size)[group[order]]
        return rank >= (size // 2)[group]

    def _metric_of_responses(self, experience: Experience) -> Tensor:
        if self.metric == "length":
            return masked.extent(experience.mask).to(experience.rewards.dtype)
        if experience.old_entropy is None:
            raise ValueError("algorithm.objective.reads.old_entropy must be true for the metric entropy")
        total = torch.where(experience.mask, experience.old_entropy, 0.0).sum(1)
        return total / experience.mask.sum(1).clamp(min=1)

    def mix(self, experience: Experience) -> float:
        """μ of this batch."""
        accuracy = float(experience.rewards.mean())
        within = {
            "constant": 1.0 - self.between,
            "accuracy": 1.0 - accuracy,
            "accuracy_reversed": accuracy,
            "cosine": cosine_with_restarts(experience.step, high=0.6, low=0.0),
            "cosine_reversed": 1.0 - cosine_with_restarts(experience.step, high=1.0, low=0.4),
        }
        return 1.0 - within[self.schedule]


def cosine_with_restarts(step: int, *, high: float, low: float) -> float:
    """CANON: high(t + 1)/30 for t < 30, then low + ½(high − low)(1 + cos(π·τ/40)), τ the step of its cycle of 40."""
    if step < WARM_UP:
        return high * (step + 1) / WARM_UP
    return low + 0.5 * (high - low) * (1.0 + math.cos(math.pi * ((step - WARM_UP) % CYCLE) / CYCLE))


def _mean_of_half(rewards: Tensor, group: Tensor, half: Tensor) -> Tensor:
    """Mean reward of the half of each group, [P]."""
    members = half.to(rewards.dtype)
    return groups.group_sum(rewards * members, group) / groups.group_sum(members, group).clamp(min=1)
