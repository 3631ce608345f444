"""Clip_V: tokens of bad responses that would shrink the entropy most, against their own vocabulary, do not count.

"On the entropy dynamics in reinforcement fine-tuning", 2026, arXiv:2602.03392. Changes GRPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Advantage, Experience

LEAST_SPREAD = 1e-12  # of D over the batch below which nothing is left out


def clip_v(experience: Experience, advantage: Advantage, *, width: float, share: float, over_kept: bool) -> Advantage:
    """The advantage, where tokens with Â ≤ 0 and D > width·std D no longer count, [B, T].

    D = N − S with S = q (H_old + log q), q = π_old(a|s), and N = Σ_v π_old(v) S_v, the mean of S over the vocabulary:
    a policy-gradient step with Â changes the entropy by −Â(S − N). std D (of n) is over the response tokens of the
    rollout batch about the mean of D, while D itself is not centred, as released. If more than a `share` of the
    tokens would be left out, of those with Â < 0 only the max(1, ⌊share·N⌋) of largest D are.

    Fidelity: official code (agreement with it to 1e-12 on random batches: the same tokens, the same loss and gradient).

    Args:
        experience: with old_entropy and old_covariance.
        advantage: Â, [B, T].
        width: in standard deviations; infinity recovers the algorithm without it.
        share: largest share of the batch's tokens that is left out.
        over_kept: the loss is the mean of the tokens that are kept, as released; false: their Â is 0 and they count.
    """
    if experience.old_entropy is None or experience.old_covariance is None:
        raise ValueError("algorithm.objective.reads.old_entropy and old_covariance must be true for Clip_V")
    mask, logp = experience.mask, experience.old_logp
    excess = experience.old_covariance - logp.exp() * (experience.old_entropy + logp)
    spread = masked.mean((excess - masked.mean(excess, mask)).square(), mask).sqrt()
    found = mask & (advantage.values <= 0) & (excess > width * spread) & (spread >= LEAST_SPREAD)
    dropped = _at_most(found, excess, advantage.values, share, int(mask.sum()))
    if over_kept:
        return replace(advantage, counted=mask & ~dropped)
    return replace(advantage, values=torch.where(dropped, 0.0, advantage.values))


def _at_most(found: Tensor, excess: Tensor, advantage: Tensor, share: float, tokens: int) -> Tensor:
    """Clip_V's tokens that were found, cut to their share; those with Â = 0 push nothing and stay out."""
    limit, bad = max(1, int(share * tokens)), found & (advantage < 0)
    if int(found.sum()) <= share * tokens or int(bad.sum()) <= limit:
        return found
    return (found & ~bad) | masked.largest(excess, bad, limit)
