"""The sum of reward terms: each response's opinions filled up, weighted, added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Opinions = Sequence[float | None]  # of one term, a value a response, [B]


def filled_opinions(values: Opinions, group: Sequence[int]) -> list[float]:
    """r̃_i = r_i where the term has an opinion; else the mean of r_j over the responses j of i's group that have one.

    0 for a group without any, so that the term contributes nothing there. Under a group baseline a filled value
    teaches nothing either way.

    Args:
        values: r, [B]; None is no opinion.
        group: the prompt of each response, [B].
    """
    found: dict[int, list[float]] = {}
    for value, p in zip(values, group, strict=True):
        if value is not None:
            found.setdefault(p, []).append(value)
    means = {p: sum(stated) / len(stated) for p, stated in found.items()}
    return [means.get(p, 0.0) if value is None else value for value, p in zip(values, group, strict=True)]


def weighted_reward_sum(
    terms: Mapping[str, Opinions], weights: Mapping[str, float], group: Sequence[int], start: Sequence[float]
) -> list[float]:
    """R_i = s_i + Σ_k w_k r̃_ik over the terms of non-zero weight, in their order, [B]."""
    total = list(start)
    for name, values in terms.items():
        if weights[name]:
            added = filled_opinions(values, group)
            total = [one + weights[name] * more for one, more in zip(total, added, strict=True)]
    return total
