"""Votes of samples: what is together does not depend on who comes first."""

from __future__ import annotations

import math
import random
from itertools import permutations

import pytest

from tvo_cli.stats import answer_entropy, cluster_equal_answers, majority_answers, majority_score

SYNONYMS = {("2^{10}", "1024"), ("1024", "1024.0"), ("1/2", "0.5")}  # in this direction only


def one_way(left: str, right: str) -> bool:
    return left == right or (left, right) in SYNONYMS


def test_equality_in_one_direction_or_through_a_third_is_enough() -> None:
    assert cluster_equal_answers(["1024.0", "7", "2^{10}", None, "1024"], one_way) == [
        (("1024", "1024.0", "2^{10}"), 3),
        (("7",), 1),
    ]


def test_ties_are_all_named_and_nobody_is_no_majority() -> None:
    assert majority_answers(["3", "2", None, "3", "2"], one_way) == ((("2",), 2), (("3",), 2))
    assert majority_answers([None, None], one_way) == ()


@pytest.mark.parametrize(
    ("votes", "score"),
    [
        ([("2^{10}", False), ("1024", True), ("1024", True)], 1.0),  # the winner's verdict is that of most of it
        ([("2^{10}", True), ("1024", True), ("7", False), ("7", False)], 0.5),  # a tie counts half
        ([("1/2", True), ("0.5", True), ("7", False)], 1.0),
        ([("7", False), ("7", False), ("0.5", True)], 0.0),
        ([("7", True), (None, False), (None, False)], 1.0),  # who does not answer does not vote
        ([(None, False)], 0.0),
    ],
)
def test_the_order_of_samples_changes_nothing(votes: list[tuple[str | None, bool]], score: float) -> None:
    for order in permutations(votes):
        answers, correct = zip(*order, strict=True)
        assert majority_score(answers, correct, one_way) == score


def test_nor_in_larger_groups_under_an_equality_that_is_no_equivalence() -> None:
    rng = random.Random(0)
    names = [f"a{i}" for i in range(9)]
    pairs = {(one, other) for one in names for other in names if rng.random() < 0.08}

    def equal(left: str, right: str) -> bool:
        return left == right or (left, right) in pairs

    for _ in range(50):
        votes = [(rng.choice([*names, None]), rng.random() < 0.5) for _ in range(12)]
        before = {_figures(rng.sample(votes, len(votes)), equal) for _ in range(10)}
        assert len(before) == 1


def _figures(votes: list[tuple[str | None, bool]], equal: object) -> tuple[float, float]:
    answers, correct = zip(*votes, strict=True)
    return majority_score(answers, correct, equal), answer_entropy(answers, equal)  # type: ignore[arg-type]


def test_entropy_of_two_kinds_and_the_unanswered() -> None:
    found = answer_entropy(["1/2", "0.5", "7", None], one_way)
    assert found == pytest.approx(0.5 * math.log(2) + 2 * 0.25 * math.log(4))
