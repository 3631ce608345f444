"""80/20: only the tokens of highest entropy, where a response forks, learn.

Wang et al. 2025, "Beyond the 80/20 rule", arXiv:2506.01939. Changes DAPO at: weight.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tvo_cli.types import Tokens


def forking_tokens(tokens: Tokens, *, share: float, over_selected: bool) -> Tensor:
    """1 on the K = max(1, ⌈share·N⌉) response tokens of highest entropy in the minibatch, else 0, [B, T].

    Exactly K, ties in reading order. With `over_selected` times N/K: under the token mean, the mean is over the
    selected tokens, as in the paper (Eq. 6 and the sentence after it) and the released code; without, over all N, as
    TRL's top_entropy_quantile divides.

    Fidelity: official code, with the K of the minibatch where that takes each micro-batch's.

    Args:
        tokens: the whole minibatch.
        share: of all tokens; 1 recovers weight 1.
        over_selected: whether the loss is the mean over the selected tokens.
    """
    entropy, total = tokens.entropy.detach(), int(tokens.mask.sum())
    count = min(max(1, math.ceil(share * total - 1e-9)), total)
    hidden = torch.where(tokens.mask, entropy, -torch.inf).flatten()
    chosen = hidden.sort(descending=True, stable=True).indices[:count]
    weight = torch.zeros_like(hidden)
    weight[chosen] = total / count if over_selected and count else 1.0
    return weight.view_as(entropy)
