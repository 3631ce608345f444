"""Agentic AEPO's advantage: uncertain tokens learn more, in either direction.

Dong et al. 2025, "Agentic entropy-balanced policy optimization", arXiv:2510.14545. Changes GRPO at: shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Tokens

LEAST_SPREAD = 1e-8  # nats; equal entropies differ by rounding


def entropy_aware_advantage(tokens: Tokens, *, strength: float) -> Tensor:
    """Â (1 + a·z), z = (H − mean H)/std H over the response tokens of the minibatch (n−1; 1 where it is 0), [B, T].

    No gradient flows through H. The token mean of a·z is 0; the sign of Â turns only where z < −1/a.

    Fidelity: official code (agreement with it to 1e-12 on random batches; there H is computed only where
    entropy_coeff is not 0, and the released scripts leave it at 0, so that this part of the paper does nothing).

    Args:
        tokens: the minibatch, or a slice of one.
        strength: a; 0 recovers Â.
    """
    whole = tokens.minibatch
    entropy, spread = tokens.entropy.detach(), masked.variance(whole.entropy.detach(), whole.mask).sqrt()
    z = (entropy - masked.mean(whole.entropy.detach(), whole.mask)) / torch.where(spread > LEAST_SPREAD, spread, 1.0)
    return torch.where(tokens.mask, tokens.advantage * (1 + strength * z), 0.0)
