"""HAPO's clip: certain tokens may fall further, uncertain ones may rise further.

Liu et al. 2025, "From uniform to heterogeneous: tailoring policy optimization to every token's nature",
arXiv:2509.16591. Changes DAPO at: surrogate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths.entropy_level import entropy_levels
from tvo_cli.maths.piece_marks import reads_tokens
from tvo_cli.maths.surrogates import bounded_below
from tvo_cli.types import Tokens


@reads_tokens
def adaptive_clip(
    ratio: Tensor,
    advantage: Tensor,
    tokens: Tokens,
    *,
    low: float,
    high: float,
    dual: float,
    quantile: float,
    widening: float,
    released_sign: bool,
) -> Tensor:
    """The dual-clipped surrogate with ε_low = low(1 − c·h̃) where h̃ ≤ 0 and ε_high = high(1 + c·h̃) where h̃ > 0, [B, T].

    h̃ in [−1, 1] is the level of a token's log-entropy in the minibatch (maths/entropy_level.py), above 0 for the
    uncertain ones; no gradient flows through it.

    Fidelity: official code (with released_sign, and together with the redistribution, agreement to 1e-12 in loss and
    gradient on random batches; that code divides a negative level by the negative minimum, so that certain tokens
    count as uncertain ones; the default is the sign that the paper's cases require; statistics over the minibatch
    where that takes each micro-batch's; the released scripts have 0.2 on both sides where the recipe has DAPO's).

    Args:
        ratio: ρ, [B, T].
        advantage: Â, [B, T], no gradient.
        tokens: the minibatch, or a slice of one.
        low: ε_low of an ordinary token.
        high: ε_high of an ordinary token.
        dual: of the dual clip.
        quantile: of log-entropy, what tells uncertain tokens.
        widening: c; 0 recovers the dual-clipped surrogate.
        released_sign: |h̃| in place of h̃.
    """
    whole = tokens.minibatch
    level = entropy_levels(whole.entropy.detach(), whole.mask, quantile).level(tokens.entropy.detach())
    level = torch.where(tokens.mask, level.abs() if released_sign else level, 0.0)
    below = torch.where(level <= 0, low * (1 - widening * level), low)
    above = torch.where(level > 0, high * (1 + widening * level), high)
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - below, 1 + above) * advantage)
    return bounded_below(gain, advantage, dual=dual)
