"""pass@k and maj@k."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Majority(NamedTuple):
    """The most frequent answer; `tied` names every answer with as many votes, the winner first."""

    answer: str | None
    votes: int
    tied: tuple[str, ...]


def pass_at_k(n: int, c: int, k: int) -> float:
    """1 − C(n−c, k)/C(n, k) = 1 − Π_{i=n−c+1…n} (1 − k/i): the chance of a correct one among k of n samples.

    c of the n are correct. The product cannot overflow. Chen et al., arXiv:2107.03374. k > n: ValueError.
    """
    if not 0 <= c <= n or k < 1:
        raise ValueError(f"pass@{k} of {c} correct in {n} samples")
    if k > n:
        raise ValueError(f"pass@{k} needs at least {k} samples of a problem, there are {n}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def clusters(answers: Sequence[str | None], equal: Callable[[str, str], bool]) -> list[list[str]]:
    """Equal answers together, in the order of their first; None is no answer."""
    found: list[list[str]] = []
    for answer in answers:
        if answer is None:
            continue
        home = next((c for c in found if answer in c), None) or next((c for c in found if equal(c[0], answer)), None)
        if home is None:
            found.append([answer])
        else:
            home.append(answer)
    return found


def majority(answers: Sequence[str | None], equal: Callable[[str, str], bool]) -> Majority:
    """The largest cluster of equal answers; None does not vote. A tie goes to the answer that came first."""
    found = clusters(answers, equal)
    votes = max(map(len, found), default=0)
    tied = tuple(cluster[0] for cluster in found if len(cluster) == votes)
    return Majority(tied[0] if tied else None, votes, tied)


def answer_entropy(answers: Sequence[str | None], equal: Callable[[str, str], bool]) -> float:
    """−Σ_j f_j/N ln(f_j/N) over clusters of equal answers, in nats; the unanswered are one cluster of their own.

    0 when all agree. Wu et al., The Invisible Leash, arXiv:2507.14843.
    """
    counts = [len(cluster) for cluster in clusters(answers, equal)]
    missing = sum(answer is None for answer in answers)
    return -sum(n / len(answers) * math.log(n / len(answers)) for n in (*counts, missing) if n)
