"""Surrogate gains: functions of an importance ratio and an advantage, to be ascended; and the GAE recursion."""

from __future__ import annotations

import torch
from torch import Tensor

LOG_RATIO_LIMIT = 20.0  # exp(20) is finite in float32, its square too


def importance_ratio(log_ratio: Tensor) -> Tensor:
    """ρ = exp(log π_θ − log π_old), the log-ratio clamped to ±20 so that no overflow reaches the loss."""
    return log_ratio.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()


def clipped_surrogate(ratio: Tensor, advantage: Tensor, low: float, high: float) -> Tensor:
    """PPO's pessimistic gain min(ρÂ, clip(ρ, 1−low, 1+high)Â).

    Schulman et al. 2017, arXiv:1707.06347, eq. 7; unequal sides: DAPO, arXiv:2503.14476.

    Args:
        ratio: [B, T] ρ.
        advantage: [B, T] Â, no gradient.
        low: distance below 1 at which a falling ratio stops paying; infinity recovers ρÂ.
        high: distance above 1 at which a rising ratio stops paying; infinity recovers ρÂ.

    Returns:
        [B, T] gain.

    >>> clipped_surrogate(torch.tensor([1.5, 0.5]), torch.tensor([1.0, -1.0]), 0.2, 0.2)
    tensor([ 1.2000, -0.8000])
    """
    return torch.minimum(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)


def capped_surrogate(ratio: Tensor, advantage: Tensor, cap: float, floor: float = 0.0) -> Tensor:
    """Gain whose gradient factor is clip(ρ, floor, cap): S = ρ · sg(clip(ρ, floor, cap)/ρ) · Â.

    Binary TV does not bound the ratio (π_old = 1e-3, π = 0.05 is a TV of 0.049 at ρ = 50), so TVO keeps a cap.
    cap = infinity with floor = 0 recovers the importance-weighted REINFORCE gain ρÂ bit for bit.
    """
    return ratio * (ratio.clamp(floor, cap) / ratio).detach() * advantage


def dual_clipped_surrogate(ratio: Tensor, advantage: Tensor, low: float, high: float, dual: float) -> Tensor:
    """`clipped_surrogate`, bounded from below by cÂ where Â < 0: no gradient beyond ρ = c, [B, T].

    Dual-clip PPO, Ye et al. 2020, arXiv:1912.09729. dual = infinity recovers the plain clip.
    """
    floor = torch.where(advantage < 0, dual * advantage, -torch.inf)
    return torch.maximum(clipped_surrogate(ratio, advantage, low, high), floor)


def generalised_advantage(rewards: Tensor, values: Tensor, mask: Tensor, discount: float, trace: float) -> Tensor:
    """GAE: δ_t = r_t + γ V_{t+1} − V_t,  Â_t = δ_t + γλ Â_{t+1}, backwards over response tokens, [B, T].

    Schulman et al. 2016, arXiv:1506.02438, eq. 16. Padding is stepped over: V and Â are carried across it.

    Args:
        rewards: [B, T] per-token rewards.
        values: [B, T] V(s_t), the state before token t; V after the last token is 0.
        mask: bool [B, T].
        discount: γ; 1 for undiscounted episodes.
        trace: λ; 1 recovers Σ rewards − V, 0 the one-step TD error.
    """
    advantage = torch.zeros_like(values)
    next_value, carried = values.new_zeros(len(values)), values.new_zeros(len(values))
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + discount * next_value - values[:, t]
        here = mask[:, t]
        carried = torch.where(here, delta + discount * trace * carried, carried)
        next_value = torch.where(here, values[:, t], next_value)
        advantage[:, t] = torch.where(here, carried, 0.0)
    return advantage


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float) -> Tensor:
    """½ max((V − G)², (clip(V, V_old ± ε) − G)²), [B, T]; ε = infinity recovers ½(V − G)².

    The value clipping of PPO's reference code (arXiv:1909.08593).
    """
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (near - returns).square())
