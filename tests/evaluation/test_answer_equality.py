"""The equality of a problem's answers: algebra is asked only where values cannot tell, and only so often."""

from __future__ import annotations

import logging

import pytest

from tests.evaluation.conftest import problem
from tvo_cli.evaluation import answer_equality
from tvo_cli.evaluation.answer_equality import AnswerEquality
from tvo_cli.evaluation.suite_summary import summarise_suite
from tvo_cli.stats import cluster_equal_answers

RADICALS = [rf"\frac{{{i}+2\sqrt{{{i + 3}}}}}{{{2 * i + 1}}}" for i in range(1, 65)]
POLYNOMIALS = [rf"{i}x^3 + {i + 2}x^2y - {2 * i + 1}xy^2 + (x+{i})(y-{i})" for i in range(1, 65)]
EQUATIONS = [rf"y = {i}x^3 + {i + 2}x^2" for i in range(1, 65)]
POINTS = [rf"(\sqrt{{{i}}}, {i}\sqrt{{3}})" for i in range(1, 65)]
LOGARITHMS = [rf"\log({i}x)" for i in range(1, 9)]


class Asked:
    """An equality that says no, and remembers what it was asked."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def __call__(self, one: str, other: str) -> bool:
        self.pairs.append((one, other))
        return False


@pytest.mark.parametrize("answers", [RADICALS, POLYNOMIALS, EQUATIONS, POINTS])
def test_64_different_answers_are_told_apart_without_asking(answers: list[str]) -> None:
    asked = Asked()
    found = cluster_equal_answers([*answers, None], AnswerEquality(asked))
    assert (len(found), asked.pairs) == (64, [])


def test_what_values_do_not_tell_apart_is_asked_once() -> None:
    """Of 24 pairs of the four answers three are of the same value: each is asked for in one order."""
    asked = Asked()
    equality = AnswerEquality(asked)
    answers = ["(x+1)^2", "x^2+2x+1", "x^2+2x+2", r"(1+x)(1+x)"]
    cluster_equal_answers(answers, equality)
    assert sorted(map(sorted, asked.pairs)) == sorted(
        sorted(pair) for pair in [(answers[0], answers[1]), (answers[0], answers[3]), (answers[1], answers[3])]
    )
    cluster_equal_answers(answers, equality)
    assert (len(asked.pairs), equality.asked, equality.unsettled) == (3, 3, 0)


def test_what_rules_alone_call_equal_is_not_counted() -> None:
    equality = AnswerEquality(lambda one, other: True)
    assert equality("0.5", r"\frac{1}{2}")
    assert not equality("0.5", "0.6")
    assert equality.asked == 0


def test_pairs_beyond_the_bound_are_different_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_equality, "MOST_BY_ALGEBRA", 5)
    asked = Asked()
    equality = AnswerEquality(asked)
    assert len(cluster_equal_answers(LOGARITHMS, equality)) == 8
    assert (len(asked.pairs), equality.unsettled) == (5, 28 - 5)


def test_a_problem_that_takes_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question takes 25 s of a clock: after the third, 75 s are over the minute."""
    clock = iter(range(0, 10_000, 25))
    monkeypatch.setattr("tvo_cli.evaluation.answer_equality.time.monotonic", lambda: float(next(clock)))
    equality = AnswerEquality(Asked())
    cluster_equal_answers(LOGARITHMS, equality)
    assert (equality.asked, equality.unsettled) == (3, 28 - 3)


def test_the_answers_with_the_most_votes_are_compared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """z and y have two votes each, all others one: they are one answer, whatever the bound leaves out."""
    monkeypatch.setattr(answer_equality, "MOST_BY_ALGEBRA", 1)
    often = [r"\log(z)", r"\log(y)"]
    found = cluster_equal_answers([*LOGARITHMS, *often, *often], AnswerEquality(lambda one, other: True))
    assert found[0] == ((r"\log(y)", r"\log(z)"), 4)


def test_text_that_no_rule_takes_apart_is_equal_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(*_: object) -> bool:
        raise RecursionError

    monkeypatch.setattr(answer_equality, "equal_answers", too_deep)
    assert not AnswerEquality(lambda one, other: True)("x+1", "1+x")


def test_a_suite_says_what_was_not_compared(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(answer_equality, "MOST_BY_ALGEBRA", 5)
    rows = [*problem("a", list(LOGARITHMS)), *problem("b", ["1"] * 8)]
    with caplog.at_level(logging.WARNING):
        found = summarise_suite(rows, (1,), lambda one, other: False, 0.95)
    assert found["maj"]["unsettled"] == 23
    assert "maj@k: 23 pairs of answers (problems: 1) count as different without a comparison" in caplog.text
    assert "unsettled" not in summarise_suite(problem("b", ["1", "2"]), (1,), lambda one, other: False, 0.95)["maj"]
