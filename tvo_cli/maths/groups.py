"""Statistics over the responses of one prompt (a group) and over the other prompts of a batch.

Rows need not be sorted; `group` [B] holds each row's group index 0 … P−1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def group_sum(x: Tensor, group: Tensor) -> Tensor:
    """Σ of x over each group, [P]."""
    count = int(group.max()) + 1
    return torch.zeros(count, dtype=x.dtype, device=x.device).index_add_(0, group, x)


def group_size(group: Tensor) -> Tensor:
    """Rows of each group, int64 [P]."""
    return torch.bincount(group)


def group_mean(x: Tensor, group: Tensor) -> Tensor:
    """Mean of x over each group, [P]."""
    return group_sum(x, group) / group_size(group).clamp(min=1)


def group_variance(x: Tensor, group: Tensor) -> Tensor:
    """Unbiased variance (n−1) within each group, [P]; 0 for a group of one."""
    centred = x - group_mean(x, group)[group]
    return group_sum(centred.square(), group) / (group_size(group) - 1).clamp(min=1)


def sampling_variance(x: Tensor, group: Tensor, source: Tensor) -> float:
    """Variance (n−1) of x within the groups, pooled; where every group is a single row, within the data sources.

    The second holds the variance between prompts besides: with one response a prompt the two cannot be told apart.
    Exactly 0 where all are equal; 0 where no group and no source has two rows.
    """
    for label in (group, source):
        freedom = int((group_size(label) - 1).clamp(min=0).sum())
        if freedom:
            return float(group_centred(x, label).square().sum()) / freedom
    return 0.0


def group_maximum(x: Tensor, group: Tensor) -> Tensor:
    """Largest x of each group, [P]."""
    blank = torch.zeros(len(group_size(group)), dtype=x.dtype, device=x.device)
    return blank.scatter_reduce(0, group, x, "amax", include_self=False)


def is_homogeneous(x: Tensor, group: Tensor) -> Tensor:
    """Whether all values of a group are equal, bool [P]."""
    return group_maximum(x, group) == -group_maximum(-x, group)


def group_centred(x: Tensor, group: Tensor) -> Tensor:
    """x minus its group's mean, [B]; exactly 0 where a group's values are all equal, whatever rounding says."""
    return torch.where(is_homogeneous(x, group)[group], 0.0, x - group_mean(x, group)[group])


def leave_one_out_mean(x: Tensor, group: Tensor) -> Tensor:
    """Mean over the *other* rows of each row's group, [B]; 0 where there is no other.

    b_i = (Σ_{j∈g} x_j − x_i) / (n_g − 1).   Ahmadian et al. 2024 (RLOO), arXiv:2402.14740.
    """
    others = (group_size(group) - 1)[group]
    return (group_sum(x, group)[group] - x) / others.clamp(min=1)


def other_groups_mean(x: Tensor, group: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over all rows of the *other* groups of the same source, [B], and how many rows that is, [B].

    Reward scales differ between data sources, so a baseline never crosses them. 0 where there is no other row.
    """
    size = group_size(group)[group].to(x.dtype)
    rows = group_size(source)[source].to(x.dtype) - size
    total = group_sum(x, source)[source] - group_sum(x, group)[group]
    return torch.where(rows > 0, total / rows.clamp(min=1), 0.0), rows


def groups_of(rewards: Tensor, group: Tensor) -> list[Tensor]:
    """Rewards by group, in the order of the groups' numbers."""
    return [rewards[group == number] for number in torch.unique(group)]
