"""Trust-GRPO: a score of the thinking's quality is added to the reward, as far as it may be trusted, and ever less.

Fan et al. 2025, SophiaVL-R1, arXiv:2505.17018. Changes GRPO at: reward shaping, and by the recipe reduce.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tvo_cli.maths import groups
from tvo_cli.types import Experience

SURE = (0.1, 0.9)  # a group whose rewards are all at most the one, or at least the other, keeps them
RIGHT = 0.5


def trust_grpo(experience: Experience, *, quality: str, strength: float, lifetime: float) -> Tensor:
    """R_i + strength·exp(−t/lifetime)·g·q_i,  g = min(1, exp(μ_right − μ_wrong)), [B]; all right or all wrong: R.

    q is the quality of a response's thinking in [0, 1], μ_right and μ_wrong its means over the group's responses with
    R ≥ ½ and below; g = 1 in a group without a right one. t counts rollout batches.

    Fidelity: official code (agreement with it to 1e-12 on random groups for qualities of all responses; it asks its
    judge only of answers with R ≥ 0.2 and takes 0 for the others, so that with rewards of 1 and 0 its g is always 1.
    The recipe's loss is a mean over the minibatch's tokens, the released one over those of a micro-batch of 4; and the
    released script adds a k3 penalty to the reference of 0.04 and an entropy bonus of 1e-3, which are off here. Its
    log-ratio is cut at 10 either way, ours at 20).

    Args:
        experience: the rollout batch, and its step.
        quality: a function of reward.functions (its weight there may be 0) whose opinions are q, no opinion counting 0;
            "confidence": exp of the mean log π_old of the response, this project's stand-in without a judge.
        strength: 0 recovers R.
        lifetime: rollout batches in which the strength falls to 1/e.
    """
    rewards, group, score = experience.rewards, experience.group, _quality(experience, quality)
    right = (rewards >= RIGHT).to(rewards.dtype)
    good, bad = (_group_mean_of_counted(score, group, part) for part in (right, 1 - right))
    some = groups.group_sum(right, group) > 0
    trust = torch.where(some, (good - bad).clamp(max=0.0).exp(), 1.0)
    high, low = groups.group_maximum(rewards, group), -groups.group_maximum(-rewards, group)
    sure = (low >= SURE[1]) | (high <= SURE[0])
    added = strength * math.exp(-experience.step / lifetime) * trust[group] * score
    return torch.where(sure[group], rewards, rewards + added)


def _quality(experience: Experience, name: str) -> Tensor:
    if name != "confidence":
        return experience.opinions[name].nan_to_num(0.0).to(experience.rewards.dtype)
    length = experience.mask.sum(1).clamp(min=1)
    return (torch.where(experience.mask, experience.old_logp, 0.0).sum(1) / length).exp().to(experience.rewards.dtype)


def _group_mean_of_counted(x: Tensor, group: Tensor, counted: Tensor) -> Tensor:
    """Trust-GRPO's mean over those responses of a group whose thinking has a score, [B]."""
    return groups.group_sum(x * counted, group) / groups.group_sum(counted, group).clamp(min=1)
