"""Information-consistent GRPO: a reward for the entropy of a response's words, and for a group's entropies being alike.

2025, arXiv:2512.12858. Changes GRPO at: reward shaping.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Experience


def information_consistency(experience: Experience, *, strength: float, amount: float, stability: float) -> Tensor:
    """R + strength·(a·Ĥ + b·F), [B]: Ĥ the entropy of a response's own words, F how alike the group's entropies are.

    H is the Shannon entropy (nats) of the empirical law of a response's tokens, Ĥ scaled to [0, 1] over the batch,
    F = 1 − mean over pairs of a group of |Ĥ_i − Ĥ_j|: one number for all of its responses. An estimator that subtracts
    the group's mean (GRPO's, as in the recipe, and every other one by group) cancels it, answers to paraphrases of one
    question included, whose `group` would be the same: there a·Ĥ alone acts, a bonus for many different words, and
    with a = 0 the advantages are those of R. F acts where the baseline is of other groups (`reinforce_plus`, `ppo`).

    Fidelity: notes (one restatement; weights, the law whose entropy is taken, and the largest gap were not seen: here
    they are ½, the response's unigrams, and 1 after scaling. The paper's group is paraphrases of one question; here it
    is the responses to one prompt, and under the recipe's group advantage F is inert).

    Args:
        experience: with response_ids.
        strength: 0 recovers R.
        amount: a.
        stability: b; changes nothing under an advantage that subtracts the group's mean.
    """
    if experience.response_ids is None:
        raise ValueError("information consistency needs the words of the responses")
    entropy = _entropy_of_words(experience.response_ids, experience.mask).to(experience.rewards.dtype)
    level = masked.scaled_to_unit(entropy, experience.mask.any(1))
    alike = 1 - _mean_gap_in_group(level, experience.group)
    return experience.rewards + strength * (amount * level + stability * alike)


def _entropy_of_words(ids: Tensor, mask: Tensor) -> Tensor:
    """Entropy of each row's empirical law of tokens, [B], nats."""
    length = mask.sum(1).clamp(min=1)
    row = torch.arange(len(ids), device=ids.device)[:, None]
    own = (row * (ids.max() + 1) + ids)[mask]  # a number for each word of each row
    _, place, times = own.unique(return_inverse=True, return_counts=True)
    law = torch.ones_like(ids).masked_scatter(mask, times[place]) / length[:, None]  # of each token's own word
    return -torch.where(mask, law.log(), 0.0).sum(1) / length


def _mean_gap_in_group(x: Tensor, group: Tensor) -> Tensor:
    """Mean gap of information |x_i − x_j| over the pairs of each row's group, [B]; 0 for a group of one."""
    together = (group[:, None] == group[None, :]).to(x.dtype)
    gaps = ((x[:, None] - x[None, :]).abs() * together).sum(1)
    total = (gaps[None, :] * together).sum(1)
    count = together.sum(1)
    return total / (count * (count - 1)).clamp(min=1)
