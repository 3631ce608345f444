"""Statistics over the True entries of a mask."""

from __future__ import annotations

import torch
from torch import Tensor


def total(x: Tensor, mask: Tensor) -> Tensor:
    """Sum of x where mask is True, []; what lies under False is never read, NaN included."""
    return torch.where(mask, x, 0.0).sum()


def mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of x where mask is True, []; 0 where nothing is.

    >>> mean(torch.tensor([1.0, 2.0, 99.0]), torch.tensor([True, True, False]))
    tensor(1.5000)
    """
    return total(x, mask) / mask.sum().clamp(min=1)


def variance(x: Tensor, mask: Tensor) -> Tensor:
    """Unbiased variance (n−1) over the True entries, []; 0 where fewer than two are.

    >>> variance(torch.tensor([1.0, 3.0, 99.0]), torch.tensor([True, True, False]))
    tensor(2.)
    """
    centred = torch.where(mask, x - mean(x, mask), 0.0)
    return centred.square().sum() / (mask.sum() - 1).clamp(min=1)


def whiten(x: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """(x − mean) / √(variance + ε) over the mask, 0 elsewhere, the shape of x.

    Schulman-style advantage whitening as in the PPO of language models (arXiv:1909.08593); n−1 variance.
    """
    white = (x - mean(x, mask)) * torch.rsqrt(variance(x, mask) + epsilon)
    return torch.where(mask, white, 0.0)
