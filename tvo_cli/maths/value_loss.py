"""The critic's loss, with PPO's value clipping."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float) -> Tensor:
    """½ max((V − G)², (clip(V, V_old ± ε) − G)²), [B, T]; ε = infinity recovers ½(V − G)².

    The value clipping of PPO's reference code (arXiv:1909.08593).
    """
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (near - returns).square())
