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


def scaled_to_unit(x: Tensor, mask: Tensor) -> Tensor:
    """(x − min)/(max − min) over the mask, the shape of x; 0 elsewhere, and where all are equal.

    >>> scaled_to_unit(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([True, True, False]))
    tensor([0., 1., 0.])
    """
    if not bool(mask.any()):
        return torch.zeros_like(x)
    least, most = x[mask].min(), x[mask].max()
    return torch.where(mask & (most > least), (x - least) / torch.where(most > least, most - least, 1.0), 0.0)


def whiten(x: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """(x − mean) / √(variance + ε) over the mask, 0 elsewhere, the shape of x.

    Schulman-style advantage whitening as in the PPO of language models (arXiv:1909.08593); n−1 variance.
    """
    white = (x - mean(x, mask)) * torch.rsqrt(variance(x, mask) + epsilon)
    return torch.where(mask, white, 0.0)


def centred_product(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """(x − mean x)(y − mean y) where mask is True, 0 elsewhere, the shape of x; its mean is the covariance.

    >>> centred_product(torch.tensor([1.0, 3.0, 9.0]), torch.tensor([2.0, 6.0, 9.0]), torch.tensor([True, True, False]))
    tensor([2., 2., 0.])
    """
    return torch.where(mask, (x - mean(x, mask)) * (y - mean(y, mask)), 0.0)


def largest(x: Tensor, mask: Tensor, count: int) -> Tensor:
    """The `count` largest True entries, bool, the shape of x; all of them when there are fewer.

    >>> largest(torch.tensor([1.0, 3.0, 9.0, 2.0]), torch.tensor([True, True, False, True]), 2)
    tensor([False,  True, False,  True])
    """
    chosen = torch.where(mask, x, -torch.inf).flatten().topk(min(count, int(mask.sum()))).indices
    return torch.zeros_like(mask).flatten().index_fill(0, chosen, True).view_as(mask)


def row_quantile(x: Tensor, mask: Tensor, share: float) -> Tensor:
    """Quantile of each row's True entries, linear between neighbours, [B, T] → [B]; infinite for an empty row.

    >>> row_quantile(torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[True, True, False]]), 0.75)
    tensor([1.7500])
    """
    ordered = torch.where(mask, x, torch.inf).sort(dim=1).values
    place = share * (mask.sum(1, keepdim=True) - 1).clamp(min=0)
    below = place.floor().long()
    low, high = ordered.gather(1, below), ordered.gather(1, place.ceil().long())
    step = torch.where(low < high, (high - low) * (place - below), 0.0)
    return (low + step).squeeze(1)


def extent(mask: Tensor) -> Tensor:
    """Places of each row up to its last True entry, [B, T] → [B]: a response's length, with what a branch took over.

    >>> extent(torch.tensor([[False, True, True, False], [True, False, False, False], [False] * 4]))
    tensor([3, 1, 0])
    """
    return (mask.flip(1).cumsum(1) > 0).sum(1)


def scatter_to_mask(values: Tensor, mask: Tensor) -> Tensor:
    """[N] values of the True places of mask [B, T], in row order → [B, T], 0 elsewhere."""
    return values.new_zeros(mask.shape).masked_scatter(mask, values)


def spread_over_tokens(per_response: Tensor, mask: Tensor) -> Tensor:
    """Spread one value a response [B] over the True entries of a mask: one a token [B, T], 0 on padding."""
    return per_response.unsqueeze(1) * mask
