"""Which rows and rates go on: the rules of docs/decisions/second-edition-plan.md."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from benchmarks.harness.record import Row

RIVALS = ("grpo", "reinforce", "ppo", "dapo", "grpo_kl_adaptive")  # of others, as their authors have them
RULE = "stability.refuse="  # the override that makes a row with refused updates


def leading_rows(runs: Sequence[Row], count: int) -> list[str]:
    """The rows of the highest mean final accuracy at their own best rate, the best first; ties by name.

    A row with the rule and the same row without it have one place, the better one's. If no rival has a place, the
    best of them has the last one: the comparison is with rivals.
    """
    best = {row: max(means.values()) for row, means in _means(runs).items()}
    ranked = _one_of_twins(sorted(best, key=lambda row: (-best[row], row)))
    leaders, rivals = ranked[:count], [row for row in ranked if row.split()[0] in RIVALS]
    return leaders if not rivals or rivals[0] in leaders else [*leaders[:-1], rivals[0]]


def _one_of_twins(ranked: Sequence[str]) -> list[str]:
    """Without each row whose like, with the rule or without it, stands higher."""
    first: dict[str, str] = {}
    for row in ranked:
        first.setdefault(" ".join(word for word in row.split() if not word.startswith(RULE)), row)
    return list(first.values())


def best_rate(runs: Sequence[Row], row: str) -> float:
    """The rate at which a row has the highest mean final accuracy; the lower of two equal ones."""
    means = _means(runs)[row]
    return max(sorted(means), key=lambda rate: means[rate])


def _means(runs: Sequence[Row]) -> dict[str, dict[float, float]]:
    """Mean final accuracy by row and rate."""
    found: dict[str, dict[float, list[float]]] = {}
    for run in runs:
        found.setdefault(run["row"], {}).setdefault(run["lr"], []).append(run["final"])
    return {row: {rate: fmean(finals) for rate, finals in rates.items()} for row, rates in found.items()}
