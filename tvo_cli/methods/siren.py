"""SIREN: entropy is regularised inside the nucleus, at the most uncertain tokens, towards where it began.

Rethinking Entropy Regularization in Large Reasoning Models, 2025, arXiv:2509.25133.
Changes Dr.GRPO at: surrogate (the dual clip of the released run), penalties (an `Anchored` mean of this term), nucleus.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Tokens


def siren(tokens: Tokens, *, quantile: float, count_empty: bool) -> Tensor:
    """Each token's summand of H̄ = mean_i (Σ_t M H / Σ_t M), [B, T], nats: H the entropy inside the nucleus.

    M marks the tokens of a response whose H exceeds the `quantile` of that response, strictly and without gradient; a
    response of one token has none. The loss is β(H̄ − H_a)², H_a the same mean before the first update.

    Fidelity: official code (Linn3a/siren, with its dual clip of 3; the recommended reading differs by default: the
    nucleus keeps the word that crosses its mass, and responses without a marked token are not counted; as released are
    nucleus.crossing=false and count_empty=true; their ranking stops at the 10 000 largest logits; (H̄ − H_a)² of the
    minibatch, theirs of each micro-batch).

    Args:
        tokens: the minibatch, or a slice of one. Without a nucleus the whole vocabulary's entropy.
        quantile: τ; 0.8 keeps the top fifth. The base is recovered by the penalty's coefficient 0.
        count_empty: divide by all responses with a token (released), not only by those with a marked one.
    """
    everything = tokens.minibatch
    rows = everything.mask.any(1) if count_empty else _tokens_of_peak_entropy(everything, quantile).any(1)
    peaks = _tokens_of_peak_entropy(tokens, quantile)
    weight = peaks / peaks.sum(1, keepdim=True).clamp(min=1) / rows.sum().clamp(min=1)
    return torch.where(peaks, _nucleus_or_full_entropy(tokens) * weight, 0.0)


def _tokens_of_peak_entropy(tokens: Tokens, quantile: float) -> Tensor:
    entropy = _nucleus_or_full_entropy(tokens).detach()
    return tokens.mask & (entropy > masked.row_quantile(entropy, tokens.mask, quantile)[:, None])


def _nucleus_or_full_entropy(tokens: Tokens) -> Tensor:
    return tokens.entropy if tokens.nucleus_entropy is None else tokens.nucleus_entropy
