from __future__ import annotations

import pytest

from tests.reward.cases import DIFFERENT, EQUAL
from tests.reward.conftest import problem
from tvo_cli.reward import Grader, number
from tvo_cli.reward.equality import Undecided, equal, undecided


def test_enough_cases() -> None:
    assert len(EQUAL) >= 80 and len(DIFFERENT) >= 80


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal(grader: Grader, gold: str, answer: str) -> None:
    verdict = grader.grade([rf"so \boxed{{{answer}}}"], [problem(gold)], [True])[0]
    assert verdict.correct and verdict.reason == "equal" and not verdict.failed


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different(grader: Grader, gold: str, answer: str) -> None:
    verdict = grader.grade([rf"so \boxed{{{answer}}}"], [problem(gold)], [True])[0]
    assert not verdict.correct and not verdict.failed, verdict


@pytest.mark.parametrize("pair", EQUAL)
def test_a_gold_is_equal_to_itself(grader: Grader, pair: tuple[str, str]) -> None:
    assert grader.equal(pair[0], pair[0])


@pytest.mark.parametrize(("gold", "answer"), [("42", "43"), ("7", "007"), ("1,2", "2,1"), (r"\frac12", "0.5")])
def test_plain_numbers_need_no_algebra(gold: str, answer: str) -> None:
    equal(gold, answer, undecided)


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
