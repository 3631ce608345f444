"""Relative confidence: a response of less entropy than its group learns more, one of more entropy less.

ETTRL's entropy-based advantage reshaping, Liu et al. 2025, arXiv:2508.11356. Changes GRPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tvo_cli.maths import groups
from tvo_cli.types import Advantage, Experience


def relative_confidence(experience: Experience, advantage: Advantage, *, strength: float, bound: float) -> Advantage:
    """clip(Y_i·Â, ±bound) with Y_i = max(0, 1 + strength·(1 − H_i/H̄)), [B, T].

    H_i is the mean entropy of a response's tokens under the policy that sampled it, H̄ its group's mean (nats). At
    strength 1 Y_i = 2 − H_i/H̄, whose mean over a group is 1. The paper's other form bounds Â alone.

    Fidelity: notes (two restatements of the two forms agree; max(0, ·), which keeps a sign that H_i > 2H̄ would turn,
    is ours. TTRL's aime.sh, on which the method stands, averages the loss over tokens and adds a KL loss of 0.001; the
    recipe has GRPO's mean and no KL loss).

    Args:
        experience: with old_entropy.
        advantage: Â, [B, T].
        strength: 0 leaves Â.
        bound: of |Â|, 2 in the paper's other form; inf leaves it.
    """
    if experience.old_entropy is None:
        raise ValueError("algorithm.objective.reads.old_entropy must be true for a relative confidence")
    mask = experience.mask
    mean = (experience.old_entropy * mask).sum(1) / mask.sum(1).clamp(min=1)
    level = groups.group_mean(mean, experience.group)[experience.group]
    excess = torch.where(level > 0, 1 - mean / level.clamp(min=torch.finfo(level.dtype).tiny), 0.0)
    factor = (1 + strength * excess).clamp(min=0.0).to(advantage.values.dtype)
    return replace(advantage, values=(advantage.values * factor[:, None]).clamp(-bound, bound))
