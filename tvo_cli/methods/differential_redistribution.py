"""HAPO's redistribution: credit follows the entropy of tokens whose signal is clear.

Liu et al. 2025, "From uniform to heterogeneous: tailoring policy optimization to every token's nature",
arXiv:2509.16591. Changes DAPO at: weight.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths.entropy_level import entropy_levels
from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.types import Tokens


def differential_redistribution(
    tokens: Tokens,
    *,
    low: float,
    high: float,
    quantile: float,
    redistribution: float,
    widening: float,
    released_sign: bool,
) -> Tensor:
    """1 + b·h̃ where h̃ > 0 and ρ is outside (1 − ε_low/2, 1 + ε_high/2), or h̃ ≤ 0 and ρ is inside; else 1, [B, T].

    h̃ and the bounds are those of HAPO's adaptive clip. The paper multiplies Â by it; it is at least 0 for b ≤ 1, and
    clips are proportional to such a factor. On-policy all ratios are inside: certain tokens learn less, the most
    certain one nothing, and no token learns more.

    Fidelity: official code (with released_sign, and together with the adaptive clip, agreement to 1e-12 in loss and
    gradient on random batches; the default sign and the statistics differ as the adaptive clip's do).

    Args:
        tokens: the whole minibatch.
        low: ε_low of an ordinary token.
        high: ε_high of an ordinary token.
        quantile: of log-entropy, what tells uncertain tokens.
        redistribution: b, at most 1; 0 recovers weight 1.
        widening: c of the bounds.
        released_sign: |h̃| in place of h̃.
    """
    entropy = tokens.entropy.detach()
    level = entropy_levels(entropy, tokens.mask, quantile).level(entropy)
    level = torch.where(tokens.mask, level.abs() if released_sign else level, 0.0)
    ratio = importance_ratio(torch.where(tokens.mask, tokens.logp.detach() - tokens.old_logp, 0.0))
    below = torch.where(level <= 0, low * (1 - widening * level), low)
    above = torch.where(level > 0, high * (1 + widening * level), high)
    inside = (ratio > 1 - below / 2) & (ratio < 1 + above / 2)
    return torch.where(torch.where(level > 0, ~inside, inside), 1 + redistribution * level, 1.0)
