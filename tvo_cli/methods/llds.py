"""LLDS: where a response that should be kept has become less likely, its tokens that fell are pulled back.

Deng et al. 2025, "The lazy likelihood displacement death spiral", arXiv:2512.04220. Changes GRPO at: penalties.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.types import Tokens


def llds(tokens: Tokens) -> Tensor:
    """1[Σ_t Δ_t > 0] · max(0, Δ_t), Δ = log π_old − log π, on responses with Â ≥ 0, else 0, [B, T], nats.

    The gate of a response (an action, in the paper's agents; a response is one here) carries no gradient. The
    gradient by log π is −1 on the tokens that fell, 0 at π = π_old, so nothing acts at the first update of a batch.

    Fidelity: notes (three restatements of the paper's equation agree on gate and term; whether its sum is divided by
    all tokens or by those of kept responses was not seen: here it is the algorithm's reduction. The authors'
    repository runs the trained models and holds no loss).

    Args:
        tokens: the minibatch. The base is recovered by the penalty's coefficient 0.
    """
    fall = torch.where(tokens.mask, tokens.old_logp - tokens.logp, 0.0)
    kept = (fall.detach().sum(1) > 0) & _has_no_negative_advantage(tokens)
    return torch.where(kept[:, None], fall.relu(), 0.0)  # whose gradient at 0 is 0


def _has_no_negative_advantage(tokens: Tokens) -> Tensor:
    """Whether the mean Â of a response's tokens is at least 0, bool [B]."""
    return torch.where(tokens.mask, tokens.advantage, 0.0).sum(1) >= 0
