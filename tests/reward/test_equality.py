from __future__ import annotations

import pytest

from tests.reward.cases import CASES, DIFFERENT, EQUAL, UNSHOWN, Pair
from tests.reward.conftest import problem
from tvo_cli.reward import Grader
from tvo_cli.reward.answers import number
from tvo_cli.reward.equality import Undecided, equal, undecided
from tvo_cli.types import Verdict


def boxed(grader: Grader, pairs: list[Pair]) -> list[tuple[str, Verdict]]:
    texts = [rf"so \boxed{{{answer}}}" for _, answer in pairs]
    verdicts = grader.grade(texts, [problem(gold) for gold, _ in pairs], [True] * len(pairs))
    return [(answer, verdict) for (_, answer), verdict in zip(pairs, verdicts, strict=True)]


def test_enough_cases_and_a_near_miss_beside_each() -> None:
    assert len(EQUAL) >= 150 and len(DIFFERENT) >= 150
    assert [gold for gold, (same, other) in CASES.items() if not same or not other] == []


@pytest.mark.parametrize("gold", CASES)
def test_the_table(grader: Grader, gold: str) -> None:
    same, other = CASES[gold]
    for answer, verdict in boxed(grader, [(gold, answer) for answer in same]):
        assert verdict.correct and verdict.reason == "equal" and not verdict.failed, answer
    for answer, verdict in boxed(grader, [(gold, answer) for answer in other]):
        assert not verdict.correct and not verdict.failed, answer


def test_characters_that_look_like_others(grader: Grader) -> None:
    assert [answer for answer, verdict in boxed(grader, UNSHOWN) if verdict.correct] == []


@pytest.mark.parametrize("gold", CASES)
def test_a_gold_is_equal_to_itself(grader: Grader, gold: str) -> None:
    assert grader.equal(gold, gold)


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [("42", "43", False), ("7", "007", True), ("1,2", "2,1", True), (r"\frac12", "0.5", True)],
)
def test_plain_numbers_need_no_algebra(gold: str, answer: str, same: bool) -> None:
    assert equal(gold, answer, undecided) is same


def test_expressions_need_algebra() -> None:
    with pytest.raises(Undecided):
        equal(r"\sqrt{2}", r"\frac{2}{\sqrt{2}}", undecided)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,024.50", "1024.5"),
        ("-0", "0"),
        ("+5", "5"),
        ("1,02", None),
        ("", None),
        (".", None),
        ("1e5", None),
        ("٣", None),
    ],
)
def test_plain(text: str, value: str | None) -> None:
    assert number.plain(text) == value


def test_an_expression_copied_from_the_question_is_no_answer(grader: Grader) -> None:
    asked = problem(r"2\sqrt{3}", question=r"Simplify $\sqrt{12}$.")
    assert not grader.grade([r"\boxed{\sqrt{12}}"], [asked], [True])[0].correct
    assert grader.grade([r"\boxed{2\sqrt3}"], [asked], [True])[0].correct
