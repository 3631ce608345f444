"""GSPO: the importance ratio of a response, the geometric mean of its tokens'.

Zheng et al. 2025, arXiv:2507.18071. Changes GRPO at: ratio, and the clip that suits it.
"""

from __future__ import annotations

import torch
from torch import Tensor

LOG_LIMIT = 10.0  # as in the released code


def gspo(log_ratio: Tensor, mask: Tensor) -> Tensor:
    """s_i = exp(mean_t (log π_θ − log π_old)) on every token of response i, [B, T], no unit; 1 on padding.

    The token form: the value is s_i, the gradient in a token's log π_θ is s_i, so that Â may differ by token; with
    an Â constant in the row and a mean over its tokens it is the sequence form exactly.
    The clip must be of the size of a mean: 3e-4 and 4e-4, not PPO's 0.2.

    Fidelity: official code (verl).

    Args:
        log_ratio: log π_θ − log π_old, [B, T].
        mask: bool [B, T]. A response of one token recovers the token ratio.
    """
    inside = torch.where(mask, log_ratio, 0.0)
    mean = inside.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
    moving = torch.where(mask, mean.detach() + inside - inside.detach(), 0.0)
    return moving.clamp(max=LOG_LIMIT).exp()
