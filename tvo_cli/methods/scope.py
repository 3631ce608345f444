"""SCOPE: right answers that were sampled hot or cold are reinforced beside the batch, to hold an entropy.

Arbitrary-entropy policy optimisation, 2025, arXiv:2510.08141, in its later form SCOPE-RL. Changes GRPO at: advantage
shaping, sampling.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tvo_cli.types import Advantage, Experience


def scope(experience: Experience, advantage: Advantage, *, alpha: float) -> Advantage:
    """Â(B + B')/B on the batch's own B; α(B + B')/B' on the right of its branch's B', 0 on its wrong, [B, T].

    Under the mean over responses and in one update the loss is that of GRPO plus −α/B' Σ over right answers of the
    branch of their mean min(ρ, clip(ρ)), ρ of the policy at the sampling temperature itself: the branch's own is not
    corrected for. Wrong ones count in B' and teach nothing. In several minibatches it is so in expectation.

    Fidelity: notes (restatements of SCOPE's equations and a third party's port agree; the released code is of the
    first version, with two temperatures and rows that are replaced).

    Args:
        experience: with the branch's rows marked in `extra`; without a branch Â stays, bit for bit.
        advantage: Â, [B, T].
        alpha: weight of the branch; 0 leaves only the batch's own loss.
    """
    if experience.extra is None:
        return advantage
    extra, rows = experience.extra, len(experience.extra)
    others = int(extra.sum())
    own = advantage.values * (rows / max(rows - others, 1))
    right = extra if experience.correct is None else extra & experience.correct
    pushed = right[:, None] * experience.mask * (alpha * rows / max(others, 1))
    return replace(advantage, values=torch.where(extra[:, None], pushed.to(own.dtype), own))
