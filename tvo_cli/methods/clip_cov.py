"""Clip-Cov: a few tokens of large covariance between log-probability and advantage do not learn.

Cui et al. 2025, "The entropy mechanism of RL for reasoning LMs", arXiv:2505.22617.
Changes GRPO at: surrogate (clip 1, 1), weight, reduce.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.types import Tokens


def clip_cov(tokens: Tokens, *, share: float, low: float, high: float, clip_low: float, clip_high: float) -> Tensor:
    """0 on max(1, ⌊share·N⌋) tokens drawn from those with low < C < high that the clip leaves alone, else 1, [B, T].

    C = (Â − mean Â)(log π_θ − mean log π_θ) over the N response tokens of the minibatch, nats: whose mean is the
    covariance that drives entropy down. The denominator of the loss stays N.

    Fidelity: official code, with statistics and random draws over the minibatch where that takes each micro-batch's.

    Args:
        tokens: the whole minibatch; its seed decides which tokens are drawn.
        share: of all tokens; 0 recovers weight 1.
        low: candidates have a larger covariance, nats.
        high: candidates have a smaller covariance, nats.
        clip_low: the surrogate's, for what is clipped already.
        clip_high: the surrogate's.
    """
    logp, advantage, mask = tokens.logp.detach(), tokens.advantage, tokens.mask
    covariance = (advantage - masked.mean(advantage, mask)) * (logp - masked.mean(logp, mask))
    ratio = importance_ratio(logp - tokens.old_logp)
    clipped = torch.where(advantage > 0, ratio > 1 + clip_high, ratio < 1 - clip_low) & (advantage != 0)
    candidates = torch.nonzero((mask & ~clipped & (covariance > low) & (covariance < high)).flatten()).flatten()
    wanted = max(1, math.floor(share * int(mask.sum()))) if share else 0
    drawn = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(tokens.seed))[:wanted]
    weight = torch.ones_like(logp).flatten()
    weight[candidates[drawn.to(candidates.device)]] = 0.0
    return weight.view_as(logp)
