"""ProGRPO: what the policy is already sure of learns less than what it would rarely say.

"Back to basics", 2026, arXiv:2602.05281. Changes GRPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.maths import groups
from tvo_cli.maths.masked import spread_over_tokens
from tvo_cli.maths.piece_marks import teaches_equal_rewards
from tvo_cli.types import Advantage, Experience


@teaches_equal_rewards
def progrpo(experience: Experience, advantage: Advantage, *, alpha: float, share: float, only_right: bool) -> Advantage:
    """Â + α(c(q) − c(o)) in groups with a right response, else Â, [B, T]; c: how likely a text's least likely part is.

    c(x) = exp(mean of log π_old over the ⌈share·|x|⌉ least likely tokens), in (0, 1]; of the prompt without its first
    token, and of the response. A group that is all right learns from its confidences alone; the sum of a group is no
    longer 0.

    Fidelity: notes (the outer equation as a review states it; the inner form of c, α and what counts as prompt were
    not seen: the geometric mean, ⅕ and all tokens of the prompt but the first are this project's reading).

    Args:
        experience: with prompt_logp, prompt_mask and correct.
        advantage: Â, [B, T].
        alpha: 0 recovers Â.
        share: of a text's tokens.
        only_right: leave wrong responses at Â: the equation does not.
    """
    if experience.prompt_logp is None or experience.prompt_mask is None or experience.correct is None:
        raise ValueError("algorithm.objective.reads.prompt_logp must be true for ProGRPO")
    of_prompt = _confidence(experience.prompt_logp, experience.prompt_mask, share)
    gap = of_prompt[experience.group] - _confidence(experience.old_logp, experience.mask, share)
    right = groups.group_maximum(experience.correct.to(gap.dtype), experience.group) > 0
    moved = right[experience.group] & (experience.correct if only_right else torch.ones_like(experience.correct))
    added = spread_over_tokens(torch.where(moved, alpha * gap, 0.0), experience.mask)
    return replace(advantage, values=advantage.values + added.to(advantage.values.dtype))


def _confidence(logp: Tensor, mask: Tensor, share: float) -> Tensor:
    """ProGRPO's confidence: exp of the mean of a row's least log-probabilities, [B]; 1 of an empty row."""
    count = (share * mask.sum(1).double() - 1e-9).ceil().clamp(min=1)  # float32 has no room for the 1e-9
    ordered = torch.where(mask, logp, torch.inf).sort(dim=1).values
    least = torch.arange(mask.shape[1], device=mask.device) < torch.minimum(count, mask.sum(1))[:, None]
    return (torch.where(least, ordered, 0.0).sum(1) / count).exp()
