"""PEAR: a right answer is worth less, the more uncertain its thinking was than its answer.

"PEAR: phase entropy aware reward", 2025, arXiv:2510.08026. Changes GRPO at: reward shaping.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.types import Experience

THINKING, ANSWER = 0, 2  # of Experience.phase


def pear(experience: Experience, *, alpha: float, right: float, least: float) -> Tensor:
    """min(1, s − max(0, H_t − α·H_a)), and not less than `least`, of a right response; a wrong one's reward stays, [B].

    H_t and H_a are mean entropies (nats, of the policy that sampled) of the tokens before and after the marker that
    ends the thinking; without a marker all is thinking and H_a is 0. The reward follows a policy that moves, and
    presses entropy down.

    Fidelity: notes (restatements of the paper's equations 5 to 8; its code and the reward of a wrong answer's format
    were not to be had: a wrong response keeps the reward that it has; `least` is this project's guard).

    Args:
        experience: with old_entropy, phase and correct.
        alpha: 1 in the paper.
        right: s; infinity recovers a reward of 1 for every right response.
        least: reward of a right response below which it does not fall; −infinity: the equation.
    """
    if experience.old_entropy is None or experience.phase is None or experience.correct is None:
        raise ValueError("algorithm.objective.reads.old_entropy and algorithm.thinking_end must be given for PEAR")
    thinking, answer = (
        _mean_by_response(experience.old_entropy, experience.mask & (experience.phase == phase))
        for phase in (THINKING, ANSWER)
    )
    worth = (right - (thinking - alpha * answer).clamp(min=0.0)).clamp(max=1.0).clamp(min=least)
    return torch.where(experience.correct, worth.to(experience.rewards.dtype), experience.rewards)


def _mean_by_response(x: Tensor, mask: Tensor) -> Tensor:
    """PEAR's mean entropy of a response's thinking or answer, [B]; 0 where the mask is empty."""
    return torch.where(mask, x, 0.0).sum(1) / mask.sum(1).clamp(min=1)
