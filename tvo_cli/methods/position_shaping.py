"""Position shaping: the late tokens of a response learn more.

"Decomposing the entropy-performance exchange", 2025, arXiv:2508.02260. Changes DAPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tvo_cli.maths import masked
from tvo_cli.types import Advantage, Experience


def position_shaping(
    experience: Experience, advantage: Advantage, *, gamma: float, steepness: float, first: int, last: float
) -> Advantage:
    """Â + sign(Â)·min(b_t, ½|Â|),  b_t = γ·sigmoid(k(p_t − ½)),  p_t = (n − 1)/|o_i| of the n-th token, [B, T].

    In the steps first < t < last only: the paper's plateau; Â = 0 stays 0.

    Fidelity: official code (agreement with it to 1e-12 on random batches; the released loss has no dual clip, the
    recipe's is DAPO's 10).

    Args:
        experience: the rollout batch, and its step.
        advantage: Â, [B, T].
        gamma: γ, in units of Â; 0 recovers Â.
        steepness: k.
        first: the step after which it begins; −1: at once.
        last: the step before which it ends; infinity: never.
    """
    if not first < experience.step < last:
        return advantage
    values, length = advantage.values, masked.extent(experience.mask)[:, None].clamp(min=1)
    place = torch.arange(values.shape[1], device=values.device) / length
    bonus = gamma * torch.sigmoid(steepness * (place.to(values.dtype) - 0.5))
    return replace(advantage, values=values + values.sign() * torch.minimum(bonus, 0.5 * values.abs()))
