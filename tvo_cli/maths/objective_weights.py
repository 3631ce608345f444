"""Weights of several objectives that are trained together, by how the loss of each moved lately."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST = 1e-3  # of a mean loss
LARGEST = 3.0  # of c


def window_weights(losses: Tensor, *, temperature: float) -> Tensor:
    """λ_k = K·softmax_k((c_k + i_k)/temperature), c_k = m_k/m'_k, i_k = s_k/(m_k + m'_k), of sum K, [K].

    Phan et al. 2025, RECAP, arXiv:2510.21978, equation 1. m_k and s_k are mean and spread (population) of the losses
    of the last window, m'_k the mean of the one before: an objective that falls (c < 1) counts less, one that stands
    still (c = 1) more, a volatile one (i > 0) more than a still one. Ours: no mean is below 1e-3, and no c above 3.

    Args:
        losses: positive, of the last 2W steps, oldest first, [K, 2W].
        temperature: inf recovers weights of 1.
    """
    if math.isinf(temperature):
        return torch.ones(len(losses), dtype=losses.dtype)
    before, now = losses.double().chunk(2, dim=1)
    mean, earlier = now.mean(1).clamp(min=LEAST), before.mean(1).clamp(min=LEAST)
    convergence = (mean / earlier).clamp(max=LARGEST)
    instability = now.std(1, correction=0) / (mean + earlier)
    weights = len(losses) * torch.softmax((convergence + instability) / temperature, 0)
    return weights.to(losses.dtype)
