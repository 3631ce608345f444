"""Surrogate gains: functions of an importance ratio and an advantage, to be ascended."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_surrogate(ratio: Tensor, advantage: Tensor, *, low: float, high: float) -> Tensor:
    """PPO's pessimistic gain min(ρÂ, clip(ρ, 1−low, 1+high)Â).

    Schulman et al. 2017, arXiv:1707.06347, eq. 7; unequal sides: DAPO, arXiv:2503.14476.

    Args:
        ratio: [B, T] ρ.
        advantage: [B, T] Â, no gradient.
        low: distance below 1 at which a falling ratio stops paying; infinity recovers ρÂ.
        high: distance above 1 at which a rising ratio stops paying; infinity recovers ρÂ.

    Returns:
        [B, T] gain.

    >>> clipped_surrogate(torch.tensor([1.5, 0.5]), torch.tensor([1.0, -1.0]), low=0.2, high=0.2)
    tensor([ 1.2000, -0.8000])
    """
    return torch.minimum(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)


def capped_surrogate(ratio: Tensor, advantage: Tensor, *, cap: float) -> Tensor:
    """Gain with gradient factor min(ρ, cap), [B, T]; cap = infinity recovers `importance_weighted` bit for bit.

    Binary TV does not bound the ratio (π_old = 1e-3, π = 0.05 is a TV of 0.049 at ρ = 50), so TVO keeps a cap.
    """
    return clamped_weight_surrogate(ratio, advantage, floor=0.0, cap=cap)


def clamped_weight_surrogate(ratio: Tensor, advantage: Tensor, *, floor: float, cap: float) -> Tensor:
    """Gain whose gradient factor is clip(ρ, floor, cap): S = ρ · sg(clip(ρ, floor, cap)/ρ) · Â, [B, T]."""
    return ratio * (ratio.clamp(floor, cap) / ratio).detach() * advantage


def dual_clipped_surrogate(ratio: Tensor, advantage: Tensor, *, low: float, high: float, dual: float) -> Tensor:
    """`clipped_surrogate`, bounded from below by cÂ where Â < 0: no gradient beyond ρ = c, [B, T].

    Dual-clip PPO, Ye et al. 2020, arXiv:1912.09729. dual = infinity recovers the plain clip.
    """
    return bounded_below(clipped_surrogate(ratio, advantage, low=low, high=high), advantage, dual=dual)


def bounded_below(gain: Tensor, advantage: Tensor, *, dual: float) -> Tensor:
    """max(gain, cÂ) where Â < 0, c = dual; the gain itself elsewhere, [B, T]."""
    return torch.maximum(gain, torch.where(advantage < 0, dual * advantage, -torch.inf))


def importance_weighted(ratio: Tensor, advantage: Tensor) -> Tensor:
    """ρÂ, [B, T]: importance-weighted REINFORCE, no trust region.

    Fidelity: notes (the textbook's, with importance weights for inner epochs).
    """
    return ratio * advantage


def arctan_gain(logp: Tensor, old_logp: Tensor, advantage: Tensor, delta: float | Tensor) -> Tensor:
    """The potential that mobility-weighted ascent climbs: (Â/π_old) · δ · arctan((π − π_old)/δ), [B, T].

    Tends to Â(ρ − 1) for |π − π_old| ≪ δ and saturates for ≫ δ: the clip replaced by an arctan.
    Its gradient in log π equals ρ · m · Â exactly.
    """
    old = old_logp.exp()
    return advantage / old * delta * torch.arctan((logp.exp() - old) / delta)
