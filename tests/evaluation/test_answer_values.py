"""Values of answers at points, against formulas of their own; what is equal is never apart."""

from __future__ import annotations

import math

import pytest

from tests.processor_time import loops
from tests.reward.cases import EQUAL, UNSHOWN_EQUAL, by_rules
from tests.reward.test_kinds import SAME
from tvo_cli.evaluation.answer_equality import _verdict_without_algebra
from tvo_cli.evaluation.answer_values import are_values_apart, values_of_answer


def value(text: str) -> float:
    found = values_of_answer(text)
    assert found is not None, text
    return found.at[0].value


X, Y = value("x"), value("y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"x^{2}+3x y-1", X * X + 3 * X * Y - 1),
        (r"-x^{2}", -(X**2)),
        (r"\frac{1+\sqrt{5}}{2}", (1 + math.sqrt(5)) / 2),
        (r"2\times 3^{4}-\sqrt[3]{x}", 162 - X ** (1 / 3)),
        (r"x(x+1)^{2}", X * (X + 1) ** 2),
        (r"(x+1)(y-2)", (X + 1) * (Y - 2)),
        (r"2^{x+1}x^{-2}", 2 ** (X + 1) / X**2),
        (r"\frac{\pi e^{2}}{0.5x}", math.pi * math.e**2 / (0.5 * X)),
        (
            r"3\sin^{2}(x)\cos(2x)-\tan(y)+\ln(x+1)",
            3 * math.sin(X) ** 2 * math.cos(2 * X) - math.tan(Y) + math.log1p(X),
        ),
        (r"X+x", 2 * X),
    ],
)
def test_values_by_formula(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2(3)",
            r"1\frac{1}{2}",
            r"3\frac{x}{2}",
            "f(x)",
            "f(2x)",
            "y(2)",
            "5 6",
            "x2",
            "x^{1}2",
            "x^2",
        ),  # read otherwise
        *("i", "2i+1", "E", "dx", "sin(x)", "ln(x)", r"\log(x)", r"\sin x", r"\sin^{-1}(x)", "x_{1}", "n!", "|x|"),
        *("9^{9^{9^{9}}}", "10^{99}", r"\sqrt{-2}", r"\sqrt{x-1}", r"\frac{1}{0}", r"(-2)^{x}"),
        *(
            r"\frac{1}{\sqrt{2}\sqrt{2}-2}",
            "x=y=1",
            "x<2",
            "",
            "=",
            "()",
            "x^{",
            r"\frac{1}",
            "(" * 50 + "x" + ")" * 50,
        ),
    ],
)
def test_what_may_be_read_otherwise_or_cannot_be_computed_has_no_value(text: str) -> None:
    assert values_of_answer(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\frac{1+2\sqrt{3}}{5}", r"\frac{1+2\sqrt{3}}{7}"),
        ("x^{2}+2x y", "x^{2}+2x y+1"),
        ("x^{2}-1", "x^{2}+1"),
        ("y=2x+1", "y=2x+3"),
        (r"\sqrt{2}", r"\sqrt{2.001}"),
    ],
)
def test_different_expressions_are_apart(one: str, other: str) -> None:
    assert are_values_apart(one, other)
    assert are_values_apart(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(x+1)^{2}", "x^{2}+2x+1"),
        (r"\sqrt{12}", r"2\sqrt{3}"),
        (r"\frac{1}{1+\sqrt{2}}", r"\sqrt{2}-1"),
        ("y=2x+1", "2y-4x=2"),  # an equation is what its multiples are
        ("y=x", "x"),
        (r"\sin^{2}(x)+\cos^{2}(x)", "1"),
        ("A+2a", "a+2A"),  # the algebra knows no capitals
        (r"\frac{x}{10^{8}}", r"\frac{2x}{10^{8}}"),  # it rounds small coefficients to 0
        (r"\sqrt{2}", "1.414213562"),
        ("2(3)", "7"),
    ],
)
def test_equal_ones_and_those_that_cannot_be_told_are_not(one: str, other: str) -> None:
    assert not are_values_apart(one, other)
    assert not are_values_apart(other, one)


def test_no_pair_of_the_graders_tables_that_is_equal_is_apart() -> None:
    pairs = [*EQUAL, *UNSHOWN_EQUAL, *SAME]
    undecided = [pair for pair in pairs if by_rules(*pair) is None]
    assert len(undecided) > 100
    assert [pair for pair in undecided if _verdict_without_algebra(*pair) is False] == []


def test_a_long_text_is_read_in_no_time() -> None:
    """Of 2000 characters, the most that an answer has."""
    texts = ("+".join(["(x+1)"] * 330), "(x+1)" * 400, "(" * 1000 + ")" * 1000, r"\frac{" * 300)
    for text in texts:
        assert loops(lambda text=text: values_of_answer.__wrapped__(text), tries=1) < 40  # type: ignore[misc]
