"""Majority vote: a response is rewarded for giving the answer that most responses to its prompt give. No label is read.

Test-time reinforcement learning, Zuo et al. 2025, arXiv:2504.16084; ETTRL, Liu et al. 2025, arXiv:2508.11356. Changes
GRPO at: reward shaping.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths.piece_marks import needs_samples
from tvo_cli.types import Experience


@needs_samples(3)
def majority_vote(experience: Experience) -> Tensor:
    """1[a_i = a*], [B], a* the answer of a group that the most of its responses give; the reward itself is not read.

    Equal answers vote together, a response without an answer votes for none. Where several answers have the most
    votes the group teaches nothing: every response gets 0; so two answers either agree or tie. The accuracy that a run
    reports stays the grader's.

    Fidelity: official code (TTRL's; it takes the first of tied answers for a label, and counts spellings that are
    equal once simplified, where the grader's own equality counts here; its aime.sh lets 64 responses vote and learns
    from 32 of them. ETTRL's code was not found).

    Args:
        experience: with answer.
    """
    if experience.answer is None:
        raise ValueError("algorithm.objective.reads.answers must be true for a majority vote")
    rewards = torch.zeros_like(experience.rewards)
    for p in experience.group.unique():
        rows = (experience.group == p) & (experience.answer >= 0)
        if bool(rows.any()):
            votes = torch.bincount(experience.answer[rows])
            unique = (votes == votes.max()).sum() == 1
            rewards[rows] = ((experience.answer[rows] == votes.argmax()) & unique).to(rewards.dtype)
    return rewards
