"""maj@k and the entropy of answers: samples of one problem, equal answers taken together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

Equal = Callable[[str, str], bool]


class AnswerCluster(NamedTuple):
    """Equal answers: their spellings in alphabetical order, and how many samples gave one of them."""

    spellings: tuple[str, ...]
    votes: int


def cluster_equal_answers(answers: Sequence[str | None], equal: Equal) -> list[AnswerCluster]:
    """The classes of the equivalence that `equal` generates, most votes first; None is no answer.

    Two spellings are together when `equal` holds in one direction or the other, or through further spellings: the
    symmetric and transitive closure. So the order of the samples changes nothing. Those with the most votes are
    compared first: an equality that ends with its budget has decided them.
    """
    counts = Counter(answer for answer in answers if answer is not None)
    home = {spelling: spelling for spelling in sorted(counts)}

    def root(spelling: str) -> str:
        while home[spelling] != spelling:
            spelling = home[spelling]
        return spelling

    for one, other in combinations(sorted(home, key=lambda spelling: -counts[spelling]), 2):
        if root(one) != root(other) and (equal(one, other) or equal(other, one)):
            home[root(other)] = root(one)
    members: dict[str, list[str]] = {}
    for spelling in home:
        members.setdefault(root(spelling), []).append(spelling)
    found = [AnswerCluster(tuple(together), sum(counts[one] for one in together)) for together in members.values()]
    return sorted(found, key=lambda cluster: (-cluster.votes, cluster.spellings))


def majority_answers(answers: Sequence[str | None], equal: Equal) -> tuple[AnswerCluster, ...]:
    """The clusters with the most votes: one, or several that are tied, or none where nobody answered."""
    found = cluster_equal_answers(answers, equal)
    return tuple(cluster for cluster in found if cluster.votes == found[0].votes)


def majority_score(answers: Sequence[str | None], correct: Sequence[bool], equal: Equal) -> float:
    """maj@k of one problem: 1 or 0, or the mean over tied clusters, which is what drawing one of them gives.

    A cluster is right when more than half of its samples were judged right. Nobody answered: 0.
    """
    winners = majority_answers(answers, equal)
    rights = [sum(ok for said, ok in zip(answers, correct, strict=True) if said in c.spellings) for c in winners]
    verdicts = [2 * right > cluster.votes for right, cluster in zip(rights, winners, strict=True)]
    return sum(verdicts) / len(verdicts) if verdicts else 0.0


def answer_entropy(answers: Sequence[str | None], equal: Equal) -> float:
    """−Σ_j f_j/N ln(f_j/N) over clusters of equal answers, in nats; the unanswered are one cluster of their own.

    0 when all agree. Wu et al., The Invisible Leash, arXiv:2507.14843.
    """
    counts = [cluster.votes for cluster in cluster_equal_answers(answers, equal)]
    missing = sum(answer is None for answer in answers)
    return -sum(n / len(answers) * math.log(n / len(answers)) for n in (*counts, missing) if n)
