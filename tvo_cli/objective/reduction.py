"""Reductions: how a loss is averaged over tokens, from the mask of a minibatch to each token's share."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tvo_cli.types import Tokens


def token_mean(mask: Tensor) -> Tensor:
    """Every response token of the minibatch counts alike (DAPO): share = mask / Σ mask, [B, T]."""
    return mask / mask.sum().clamp(min=1)


def sequence_mean(mask: Tensor) -> Tensor:
    """Every response counts alike (GRPO): share = mask / |o_i| / rows with a token, [B, T]."""
    length = mask.sum(1, keepdim=True)
    rows = (length > 0).sum().clamp(min=1)
    return mask / length.clamp(min=1) / rows


def constant_length(mask: Tensor, *, length: float) -> Tensor:
    """Σ over a response's tokens divided by one length for all, mean over responses: share = mask / (L·B), [B, T].

    Dr.GRPO (arXiv:2503.20783): no response is favoured for its length. length = 1: the log-probability of a whole
    response, which is one action (RLOO). The scale of a loss; what Adam and a clipped norm leave of it is little.
    """
    return mask / (length * len(mask))


class Reduction(Protocol):
    """Mask of a whole minibatch [B, T] to each token's share [B, T]."""

    def __call__(self, mask: Tensor, /) -> Tensor: ...


def weighted_token_sum(x: Tensor, tokens: Tokens) -> Tensor:
    """Σ share · x over the response tokens, []."""
    return torch.where(tokens.mask, x * tokens.share, 0.0).sum()
