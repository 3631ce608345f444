"""Perplexity shaping: responses that the policy finds likelier than others of their group learn a little more.

"Decomposing the entropy-performance exchange", 2025, arXiv:2508.02260. Changes DAPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.types import Advantage, Experience

LEAST_SPREAD = 1e-6  # of a group's log perplexities; below it they are divided by 1
FENCE = 1.5  # interquartile ranges outside the quartiles, beyond which a value is an outlier


def perplexity_shaping(
    experience: Experience, advantage: Advantage, *, alpha: float, low: float, high: float
) -> Advantage:
    """Â·clamp(1 − α·z, low, high), [B, T]; z = (l − mean)/std of l_i = −mean_t log π_old, nats, within the group.

    Mean and standard deviation (of n) leave out the group's outliers, values further than 1.5 interquartile ranges
    from the quartiles; z is taken of these too. The sign of Â stays.

    Fidelity: official code (agreement with its factor to 1e-12 on random batches; the snapshot computes the factor for
    low perplexity and never multiplies it in, only its ablation with 1 + α·z does; the clamp is the code's; the
    released loss has no dual clip, the recipe's is DAPO's 10).

    Args:
        experience: the rollout batch.
        advantage: Â, [B, T].
        alpha: 0 recovers Â; negative: unlikely responses learn more, the paper's ablation.
        low: least factor.
        high: largest factor.
    """
    length = experience.mask.sum(1).clamp(min=1)
    surprise = -torch.where(experience.mask, experience.old_logp, 0.0).sum(1) / length
    factor = (1 - alpha * _perplexity_score_in_group(surprise, experience.group)).clamp(low, high)
    return replace(advantage, values=advantage.values * factor[:, None])


def _perplexity_score_in_group(x: Tensor, group: Tensor) -> Tensor:
    """z: (l − mean)/std of each log perplexity by its group's that are no outliers, [B]."""
    score = torch.zeros_like(x)
    for p in range(int(group.max()) + 1):
        rows = group == p
        inner = _without_outliers(x[rows])
        spread = float(inner.std(correction=0))
        score[rows] = (x[rows] - inner.mean()) / (spread if spread > LEAST_SPREAD else 1.0)
    return score


def _without_outliers(x: Tensor) -> Tensor:
    first, third = (float(torch.quantile(x, share)) for share in (0.25, 0.75))
    reach = FENCE * (third - first)
    kept = x[(x >= first - reach) & (x <= third + reach)]
    return kept if len(kept) else x
