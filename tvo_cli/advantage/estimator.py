"""What an advantage estimator is, and the rewards and scales that several estimators begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from tvo_cli.maths.divergence import kl_k1
from tvo_cli.types import Advantage, Experience


class Estimator(Protocol):
    """Experience → Advantage. State comes from earlier batches only, so that the baseline stays unbiased."""

    @property
    def minimum_samples(self) -> int: ...  # responses a prompt without which the baseline does not exist

    @property
    def minimum_prompts(self) -> int: ...

    @property
    def needs_critic(self) -> bool: ...

    @property
    def needs_reference(self) -> bool: ...

    def __call__(self, experience: Experience) -> Advantage: ...

    def end_batch(self, experience: Experience) -> None: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


class StatelessEstimator:
    """An estimator that learns nothing from batch to batch and needs no critic or reference."""

    minimum_samples: ClassVar[int] = 1
    minimum_prompts: ClassVar[int] = 1
    needs_critic: ClassVar[bool] = False
    needs_reference: bool = False
    of_whole_batch: ClassVar[bool] = False  # whether Â of a response depends on those to other prompts

    def end_batch(self, experience: Experience) -> None:
        """Nothing to learn."""

    def state_dict(self) -> dict[str, float]:
        """Nothing to carry."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Nothing to restore."""


def batch_scale(spread: float, epsilon: float) -> float:
    """κ = 1/(spread + ε), and 1 for a batch without spread (at most ε): its advantages are 0 at any κ.

    Forces that are measured in units of reward would otherwise act 1/ε times as strongly on a batch of equal rewards.
    """
    return 1.0 / (spread + epsilon) if spread > epsilon else 1.0


def token_rewards(experience: Experience, outcome: Tensor, kl_coef: float) -> Tensor:
    """r_t = 1[t last]·R − c_KL·k1_t, [B, T]: an outcome [B] on the last response token, the KL charged on each."""
    mask, length = experience.mask, experience.mask.sum(1)
    rewards = torch.zeros(mask.shape, dtype=outcome.dtype, device=mask.device)
    rows = torch.arange(len(mask), device=mask.device)[length > 0]
    rewards[rows, length[rows] - 1] = outcome[rows]
    return rewards - kl_coef * reference_kl_cost(experience) if kl_coef else rewards


def reference_kl_cost(experience: Experience) -> Tensor:
    """k1 = log π_old − log π_ref of each response token, nats, [B, T]; 0 without a reference."""
    if experience.ref_logp is None:
        return torch.zeros_like(experience.old_logp)
    return torch.where(experience.mask, kl_k1(experience.old_logp, experience.ref_logp), 0.0)
