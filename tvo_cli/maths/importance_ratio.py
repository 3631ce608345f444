"""Importance ratios ρ = π_θ/π_old, of a token and of a whole response."""

from __future__ import annotations

import torch
from torch import Tensor

LOG_RATIO_LIMIT = 20.0  # exp(20) is finite in float32, its square too


def importance_ratio(log_ratio: Tensor) -> Tensor:
    """ρ = exp(log π_θ − log π_old), the log-ratio clamped to ±20 so that no overflow reaches the loss."""
    return log_ratio.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()


def token_ratio(log_ratio: Tensor, mask: Tensor) -> Tensor:
    """ρ per token, [B, T]; 1 on padding."""
    return importance_ratio(torch.where(mask, log_ratio, 0.0))


def response_ratio(log_ratio: Tensor, mask: Tensor) -> Tensor:
    """s_i = exp(Σ_t (log π_θ − log π_old)) on every token of response i, [B, T]; 1 on padding.

    A response as one action, as TRL's RLOO weighs it. The token form: the value is s_i, the gradient in a token's
    log π_θ is s_i, so with `constant_length` of length 1 the gradient is that of s_i·Â a response (the value is |o_i|
    times it). Responses of one token recover `token_ratio`; on-policy both are 1.
    """
    inside = torch.where(mask, log_ratio, 0.0)
    moving = torch.where(mask, inside.sum(1, keepdim=True).detach() + inside - inside.detach(), 0.0)
    return importance_ratio(moving)
