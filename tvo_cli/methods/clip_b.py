"""Clip_B: tokens of bad responses that would shrink the entropy most, measured over the batch, do not count.

"On the entropy dynamics in reinforcement fine-tuning", 2026, arXiv:2602.03392. Changes GRPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Advantage, Experience

LEAST_SPREAD = 1e-12  # of S over the batch below which nothing is left out


def clip_b(experience: Experience, advantage: Advantage, *, width: float, sides: str, over_kept: bool) -> Advantage:
    """The advantage, where tokens with Â < 0 and S − mean S < −width·std S no longer count, [B, T].

    S = q (H_old + log q), q = π_old(a|s): raising a logit k by ε changes the entropy by −ε·S_k, so a bad token of
    small S takes entropy when it falls. Mean and standard deviation (of n) are over the response tokens of the rollout
    batch. Only what is below 0 in Â is left out as released; "positive" leaves out Â > 0 and S − mean S > width·std S.

    Fidelity: official code (agreement with it to 1e-12 on random batches: the same tokens, the same loss and gradient).

    Args:
        experience: with old_entropy.
        advantage: Â, [B, T].
        width: in standard deviations; infinity recovers the algorithm without it.
        sides: "negative" (released), "positive" or "both".
        over_kept: the loss is the mean of the tokens that are kept, as released; false: their Â is 0 and they count.
    """
    if experience.old_entropy is None:
        raise ValueError("algorithm.objective.reads.old_entropy must be true for Clip_B")
    mask, logp = experience.mask, experience.old_logp
    signal = logp.exp() * (experience.old_entropy + logp)
    centred = signal - masked.mean(signal, mask)
    spread = masked.mean(centred.square(), mask).sqrt()
    dropped = _dropped(centred, advantage.values, width * spread, sides) & mask & (spread >= LEAST_SPREAD)
    if over_kept:
        return replace(advantage, counted=mask & ~dropped)
    return replace(advantage, values=torch.where(dropped, 0.0, advantage.values))


def _dropped(centred: Tensor, advantage: Tensor, width: Tensor, sides: str) -> Tensor:
    bad, good = (advantage < 0) & (centred < -width), (advantage > 0) & (centred > width)
    return {"negative": bad, "positive": good, "both": bad | good}[sides]
