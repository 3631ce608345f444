"""The pieces several algorithms share; what only one method uses lives in tvo_cli/methods."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths.divergence import kl_k2, kl_k3
from tvo_cli.maths.policy_gradient import (
    capped_surrogate,
    clipped_surrogate,
    dual_clipped_surrogate,
    importance_ratio,
)
from tvo_cli.types import Tokens


def plain_advantage(tokens: Tokens) -> Tensor:
    """Â as it was estimated, [B, T]."""
    return tokens.advantage


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


def importance(ratio: Tensor, advantage: Tensor) -> Tensor:
    """ρÂ, [B, T]: importance-weighted REINFORCE, no trust region.

    Fidelity: notes (the textbook's, with importance weights for inner epochs).
    """
    return ratio * advantage


def clip(ratio: Tensor, advantage: Tensor, *, low: float, high: float) -> Tensor:
    """PPO's clipped gain, [B, T]; low = high = infinity recovers `importance`."""
    return clipped_surrogate(ratio, advantage, low, high)


def dual_clip(ratio: Tensor, advantage: Tensor, *, low: float, high: float, dual: float) -> Tensor:
    """`clip` that also lets go of a bad token beyond ρ = dual, [B, T]; dual = infinity recovers `clip`."""
    return dual_clipped_surrogate(ratio, advantage, low, high, dual)


def capped(ratio: Tensor, advantage: Tensor, *, cap: float) -> Tensor:
    """Gain with gradient factor min(ρ, cap), [B, T]; cap = infinity recovers `importance`."""
    return capped_surrogate(ratio, advantage, cap)


def every_token(tokens: Tokens) -> Tensor:
    """Weight 1 for all, [B, T]."""
    return torch.ones_like(tokens.logp)


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


def reference_kl(tokens: Tokens) -> Tensor:
    """k3 estimate of KL(π_θ‖π_ref) per token, nats, [B, T]; 0 without a reference."""
    if tokens.ref_logp is None:
        return torch.zeros_like(tokens.logp)
    return kl_k3(tokens.logp, tokens.ref_logp)


def reference_kl_k2(tokens: Tokens) -> Tensor:
    """k2 = ½ (log π − log π_ref)² per token, [B, T]; 0 without a reference. REINFORCE++-baseline's penalty."""
    if tokens.ref_logp is None:
        return torch.zeros_like(tokens.logp)
    return kl_k2(tokens.logp, tokens.ref_logp)


def negative_entropy(tokens: Tokens) -> Tensor:
    """−H[π_θ], nats, [B, T]: descending it is the classical entropy bonus (Williams & Peng 1991, arXiv:1602.01783).

    Fidelity: paper.
    """
    return -tokens.entropy
