from __future__ import annotations

import pytest

from tests.reward.cases import CASES, DIFFERENT, EQUAL, UNSHOWN, UNSHOWN_EQUAL, Pair, few_by_algebra
from tests.reward.conftest import problem
from tvo_cli.reward import Grader
from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.equality_rules import NeedsAlgebra, equal_answers, no_algebra
from tvo_cli.types import Verdict


def boxed(grader: Grader, pairs: list[Pair]) -> list[tuple[str, Verdict]]:
    texts = [rf"so \boxed{{{answer}}}" for _, answer in pairs]
    verdicts = grader.grade(texts, [problem(gold) for gold, _ in pairs], [True] * len(pairs))
    return [(answer, verdict) for (_, answer), verdict in zip(pairs, verdicts, strict=True)]


def test_enough_cases_and_a_near_miss_beside_each() -> None:
    assert len(EQUAL) >= 150 and len(DIFFERENT) >= 150
    assert [gold for gold, (same, other) in CASES.items() if not same or not other] == []


def misjudged(grader: Grader, pairs: list[Pair], *, same: bool) -> list[tuple[Pair, Verdict]]:
    right = (same, "equal" if same else "different", False)
    judged = zip(pairs, boxed(grader, pairs), strict=True)
    return [(pair, said) for pair, (_, said) in judged if (said.correct, said.reason, said.failed) != right]


def test_what_the_table_calls_equal(grader: Grader) -> None:
    assert misjudged(grader, few_by_algebra(EQUAL), same=True) == []


def test_what_the_table_calls_different(grader: Grader) -> None:
    assert [(p, v) for p, v in misjudged(grader, few_by_algebra(DIFFERENT), same=False) if v.correct or v.failed] == []


@pytest.mark.slow
def test_the_whole_table(grader: Grader) -> None:
    assert misjudged(grader, EQUAL, same=True) == []
    assert [(p, v) for p, v in misjudged(grader, DIFFERENT, same=False) if v.correct or v.failed] == []


def test_characters_that_look_like_others(grader: Grader) -> None:
    assert [answer for answer, verdict in boxed(grader, UNSHOWN) if verdict.correct] == []
    assert [(answer, verdict) for answer, verdict in boxed(grader, UNSHOWN_EQUAL) if not verdict.correct] == []


def test_a_gold_is_equal_to_itself(grader: Grader) -> None:
    assert [gold for gold in CASES if not grader.equal(gold, gold)] == []


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [("42", "43", False), ("7", "007", True), ("1,2", "2,1", True), (r"\frac12", "0.5", True)],
)
def test_plain_numbers_need_no_algebra(gold: str, answer: str, same: bool) -> None:
    assert equal_answers(gold, answer, no_algebra) is same


def test_expressions_need_algebra() -> None:
    with pytest.raises(NeedsAlgebra):
        equal_answers(r"\sqrt{2}", r"\frac{2}{\sqrt{2}}", no_algebra)


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
    assert exact_number.normalize_decimal(text) == value


def test_an_expression_copied_from_the_question_is_no_answer(grader: Grader) -> None:
    asked = problem(r"2\sqrt{3}", question=r"Simplify $\sqrt{12}$.")
    assert not grader.grade([r"\boxed{\sqrt{12}}"], [asked], [True])[0].correct
    assert grader.grade([r"\boxed{2\sqrt3}"], [asked], [True])[0].correct


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500,
        "(" * 500 + "x" + ")" * 500,
        "{" * 39 + "1" + "}" * 39,
        r"\frac{" * 39 + "1" + "}" * 39,
        r"\text{" * 30 + "a" + "}" * 30,
        r"(\text{a\{" * 18,
        "9" * 1_999,
        pytest.param("9^" * 900 + "9", marks=pytest.mark.slow),  # a child dies of it
        "1," * 900 + "1",
        "(1,(2," * 15 + "3" + "))" * 15,
        "\x00",
        "x=" * 300 + "1",
        r"1\text{ to }" * 150,
        ":" * 1_000,
        "1:" * 900 + "1",
        r"\cup" * 400,
        r"x<1\text{ or }" * 120,
    ],
)
def test_hostile_text_never_raises_and_equals_no_number(grader: Grader, text: str) -> None:
    """In the parent, where no deadline stands guard: maj@k asks for two texts of a model."""
    assert not grader.equal(text, "5") and not grader.equal("5", text)


def test_equality_for_clusters_knows_no_side(grader: Grader) -> None:
    for left, right in [
        ("1024", "2^{10}"),
        ("3:2", r"\frac{3}{2}"),
        ("4:30", r"4:30 \text{ p.m.}"),
        ("6", r"\frac{12}{2}"),
    ]:
        assert grader.equal(left, right) and grader.equal(right, left)
