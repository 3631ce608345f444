"""STEER: a token whose update would change the entropy much, up or down, learns less.

"Rethinking entropy interventions in RLVR: an entropy change perspective", arXiv:2510.10150; the exact first-order
change is that of arXiv:2602.03392. Changes GRPO at: surrogate (clip-higher), weight, reduce.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.types import Tokens

TINY = 1e-8


def steer(tokens: Tokens, *, estimator: str, mode: str, low: float, high: float, floor: float) -> Tensor:
    """λ in [low, high], falling with |Ω|, the entropy change estimated of a token's own update, [B, T]; 0 on padding.

    released: Ω = (Â/q) p (1 − p)(log p + H_old), q = π_old(a|s), p = π_θ(a|s). It leaves out the mean N and one p of
    exact: Ω = Â (p/q) (p (log p + H) − N), N = Cov_π(π, log π): −dH of a softmax step of unit size, first order.
    exponential: λ = clamp(exp(−k|Ω|), low, 1), k = −ln(low)/max(max|Ω|, floor). linear: from high at the least |Ω| of
    the minibatch to low at its largest. One outlier flattens all the other weights.

    Fidelity: official code, with statistics over the minibatch where that takes each micro-batch's, and which
    holds π_old at 1e-8 or more; exact is ours.

    Args:
        tokens: the whole minibatch, with old_entropy (released) or covariance (exact).
        estimator: "released" or "exact".
        mode: "exponential" or "linear".
        low: least weight; 1 (with high = 1) recovers weight 1.
        high: largest weight of the linear mode.
        floor: largest |Ω| of a minibatch below which nothing is damped in full; in the released code only.
    """
    change = {"released": _released_entropy_change, "exact": _exact_entropy_change}[estimator](tokens)
    size = torch.where(tokens.mask, change.nan_to_num(0.0, 0.0, 0.0).abs(), 0.0)
    largest = float(size.detach().max()) if size.numel() else 0.0
    if mode == "exponential":
        rate = -math.log(low) / max(largest, floor, TINY)
        weight = (-rate * size).exp().clamp(low, 1.0)
    else:
        weight = _linear_weight_of_entropy_change(size, tokens.mask, low, high)
    return torch.where(tokens.mask, weight, 0.0)


def _released_entropy_change(tokens: Tokens) -> Tensor:
    if tokens.old_entropy is None:
        raise ValueError("algorithm.objective.reads.old_entropy must be true for this estimator")
    p = tokens.logp.detach().exp().clamp(TINY, 1 - TINY)
    return tokens.advantage / tokens.old_logp.exp() * p * (1 - p) * (p.log() + tokens.old_entropy)


def _exact_entropy_change(tokens: Tokens) -> Tensor:
    if tokens.covariance is None:
        raise ValueError("algorithm.objective.reads.covariance must be true for this estimator")
    logp = tokens.logp.detach()
    expected = logp.exp() * (logp + tokens.entropy.detach()) - tokens.covariance
    return tokens.advantage * importance_ratio(logp - tokens.old_logp) * expected


def _linear_weight_of_entropy_change(size: Tensor, mask: Tensor, low: float, high: float) -> Tensor:
    seen = size[mask]
    least, most = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    if most == least:
        return torch.full_like(size, (low + high) / 2)
    return (high - (size - least) * (high - low) / (most - least)).clamp(low, high)
