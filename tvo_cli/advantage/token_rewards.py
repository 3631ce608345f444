"""The rewards of tokens that PPO and REINFORCE++ learn from: an outcome at the end, the KL to the reference on each."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.divergence import kl_k1
from tvo_cli.types import Experience


def token_rewards(experience: Experience, outcome: Tensor, kl_coef: float) -> Tensor:
    """r_t = 1[t last]·R − c_KL·k1_t, [B, T]: an outcome [B] on the last response token, the KL charged on each."""
    mask, length = experience.mask, masked.extent(experience.mask)
    rewards = torch.zeros(mask.shape, dtype=outcome.dtype, device=mask.device)
    rows = torch.arange(len(mask), device=mask.device)[length > 0]
    rewards[rows, length[rows] - 1] = outcome[rows]
    return rewards - kl_coef * reference_kl_cost(experience) if kl_coef else rewards


def reference_kl_cost(experience: Experience) -> Tensor:
    """k1 = log π_old − log π_ref of each response token, nats, [B, T]; 0 without a reference."""
    if experience.ref_logp is None:
        return torch.zeros_like(experience.old_logp)
    return torch.where(experience.mask, kl_k1(experience.old_logp, experience.ref_logp), 0.0)
