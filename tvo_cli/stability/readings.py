"""Readings of a step beside gradient noise and free energy: pure functions of tensors to named floats.

[B, T] tensors with a bool mask, True on response tokens; what lies under False is never read. `logp` is the
log-probability of the sampled tokens. docs/metrics.md says how to read each, and when it misleads.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.maths.divergence import binary_total_variation, kl_k1, kl_k3
from tvo_cli.maths.groups import group_size
from tvo_cli.maths.importance_ratio import importance_ratio

QUANTILES = {"p01": 0.01, "p50": 0.5, "p99": 0.99, "max": 1.0}


def entropy_readings(logp: Tensor, exact: Tensor | None, mask: Tensor) -> dict[str, float]:
    """Mean entropy of a token in nats: −log π of the sampled ones, and H[π(·|s)] where it is at hand.

    Both have the same mean under the policy that sampled; the sampled one costs nothing and is noisier.
    """
    sampled = float(masked.mean(-logp, mask))
    mean = sampled if exact is None else float(masked.mean(exact, mask))
    return {"policy/entropy": mean, "policy/entropy_sampled": sampled}


def total_variation_readings(logp: Tensor, old_logp: Tensor, mask: Tensor) -> dict[str, float]:
    """The readings of total variation: mean and largest |π(a|s) − π_old(a|s)| over tokens, a lower bound of it."""
    gap = torch.where(mask, binary_total_variation(logp, old_logp), 0.0)
    return {"policy/tv": float(masked.mean(gap, mask)), "policy/tv_max": float(gap.max())}


def kl_readings(sampler_logp: Tensor, other_logp: Tensor, mask: Tensor, name: str) -> dict[str, float]:
    """KL(π_sampler ‖ π_other) a token in nats, from tokens that π_sampler drew: k3, and k1 beside it.

    k3 ≥ 0 with less noise while the two are close; k1 is unbiased too and has no heavy tail when they are
    far apart: where the two disagree, trust k1.

    Args:
        sampler_logp: log π of the policy that drew the tokens, [B, T].
        other_logp: log π of the policy under training, or of the reference, [B, T].
        mask: bool [B, T].
        name: "kl_old" or "kl_ref".
    """
    return {
        f"policy/{name}": float(masked.mean(kl_k3(sampler_logp, other_logp), mask)),
        f"policy/{name}_k1": float(masked.mean(kl_k1(sampler_logp, other_logp), mask)),
    }


def ratio_quantile_readings(logp: Tensor, old_logp: Tensor, mask: Tensor) -> dict[str, float]:
    """The readings of ρ = π/π_old: quantiles over tokens, by nearest rank; torch.quantile stops at 2²⁴ entries."""
    ratio = importance_ratio(logp - old_logp)[mask].sort().values
    if not len(ratio):
        return {f"policy/ratio_{name}": 1.0 for name in QUANTILES}
    ranks = {name: max(math.ceil(q * len(ratio)) - 1, 0) for name, q in QUANTILES.items()}
    return {f"policy/ratio_{name}": float(ratio[rank]) for name, rank in ranks.items()}


def damping_readings(weight: Tensor, mask: Tensor, left_out: Tensor | None = None) -> dict[str, float]:
    """What the trust region takes away: the share of tokens with no gradient left, and the mean of 1 − w.

    Tokens that the loss leaves out have no gradient; of them the trust region takes nothing, so w is as it is.

    Args:
        weight: [B, T] factor of a token's policy gradient against the unclipped ρÂ∇log π: 0 for a clipped
            token, the mobility for TVO, 1 for a free one.
        mask: bool [B, T].
        left_out: bool [B, T], tokens with an advantage that the loss does not count.
    """
    dead = weight == 0 if left_out is None else (weight == 0) | left_out
    clipped = dead.to(weight.dtype)
    return {
        "policy/clipped": float(masked.mean(clipped, mask)),
        "policy/damped": float(masked.mean(1.0 - weight.clamp(0.0, 1.0), mask)),
    }


def group_readings(rewards: Tensor, group: Tensor) -> dict[str, float]:
    """Share of groups whose rewards are all equal; a group of one has no contrast and does not count."""
    size = group_size(group)
    blank = rewards.new_zeros(len(size))
    highest = blank.scatter_reduce(0, group, rewards, "amax", include_self=False)
    lowest = blank.scatter_reduce(0, group, rewards, "amin", include_self=False)
    equal = ((highest == lowest) & (size > 1)).sum() / (size > 1).sum().clamp(min=1)
    return {"group/zero_advantage": float(equal)}


def reward_readings(rewards: Tensor, correct: Sequence[bool]) -> dict[str, float]:
    """Mean and population spread of the rewards, and pass@1 of the fresh responses."""
    return {
        "reward/mean": float(rewards.mean()),
        "reward/std": float(rewards.std(correction=0)),
        "accuracy/fresh": sum(correct) / len(correct),
    }


def length_readings(mask: Tensor, finished: Tensor) -> dict[str, float]:
    """The readings of responses' length: tokens, and the share that did not end by itself."""
    length = mask.sum(1).float()
    return {
        "response/length": float(length.mean()),
        "response/length_max": float(length.max()),
        "response/truncated": float((~finished).float().mean()),
    }


def answer_readings(extracted: Sequence[str | None], group: Sequence[int]) -> dict[str, float]:
    """Spread of the final answers inside a group, over the responses that gave one; others are counted apart.

    Entropy in nats of the group's empirical distribution, at most log G, so comparable only at equal G;
    distinct answers as a share of the answers given. Groups without any answer do not count. Groups of one response
    have no spread, so where all are such there is neither reading.
    """
    unanswered = {"grader/unanswered": sum(answer is None for answer in extracted) / len(extracted)}
    if len(set(group)) == len(group):
        return unanswered
    by_group: dict[int, Counter[str]] = {}
    for answer, p in zip(extracted, group):
        if answer is not None:
            by_group.setdefault(p, Counter())[answer] += 1
    counts = list(by_group.values())
    return {
        "answer/entropy": _mean_answer_reading([_entropy_reading_of_counts(list(count.values())) for count in counts]),
        "answer/distinct": _mean_answer_reading([len(count) / count.total() for count in counts]),
    } | unanswered


def vote_readings(answer: Tensor, correct: Tensor, group: Tensor) -> dict[str, float]:
    """Share of a group that gives its most frequent answer, and of the groups whose single such answer is right.

    Without labels the first is all that a vote knows of itself: where it rises and the second falls, agreement is
    being learnt and not mathematics. A tie is no majority, and is not right; a missing answer votes for none.

    Args:
        answer: int64 [B], one number for equal answers of a group, −1 for none.
        correct: bool [B], the grader's verdicts.
        group: int64 [B].
    """
    shares, rights = [], []
    for p in group.unique():
        rows = group == p
        votes = torch.bincount(answer[rows & (answer >= 0)], minlength=1)
        most, leader = int(votes.max()), int(votes.argmax())
        single = most > 0 and int((votes == most).sum()) == 1
        right = 2 * int(correct[rows & (answer == leader)].sum()) > most
        shares.append(most / int(rows.sum()))
        rights.append(float(single and right))
    return {"vote/share": sum(shares) / len(shares), "vote/right": sum(rights) / len(rights)}


def neutral_word_readings(response_ids: Tensor, mask: Tensor, neutral_ids: Sequence[int]) -> dict[str, float]:
    """Entropy in nats of the first response token over words no reward touches; at most log of their count.

    Mode collapse shows here first: nothing but drift can move this distribution. No entry without neutral
    words, or when none was drawn.
    """
    first = response_ids[:, 0][mask[:, 0]].tolist()
    count = Counter(token for token in first if token in set(neutral_ids))
    if not count:
        return {}
    return {
        "neutral/entropy": _entropy_reading_of_counts(list(count.values())),
        "neutral/share": count.total() / len(first),
    }


def _entropy_reading_of_counts(counts: Sequence[int]) -> float:
    """The reading of an entropy from counts, plug-in, nats."""
    total = sum(counts)
    return max(-math.fsum(c / total * math.log(c / total) for c in counts), 0.0)


def _mean_answer_reading(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
