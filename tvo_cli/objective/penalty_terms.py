"""Penalty terms that several algorithms share: KL to the reference, negative entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths.divergence import kl_k2, kl_k3
from tvo_cli.objective.token_function import reads_reference
from tvo_cli.types import Tokens


@reads_reference
def reference_kl(tokens: Tokens) -> Tensor:
    """k3 estimate of KL(π_θ‖π_ref) per token, nats, [B, T]; 0 without a reference."""
    if tokens.ref_logp is None:
        return torch.zeros_like(tokens.logp)
    return kl_k3(tokens.logp, tokens.ref_logp)


@reads_reference
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
