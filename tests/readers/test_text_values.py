"""Golds in the shapes data sets state them, each worked by hand."""

from __future__ import annotations

import pytest

from tvo_cli.readers.golds import gold_without_thousands_commas, integer_gold, last_box, text_after_marker
from tvo_cli.readers.text_values import level_text_of_value, text_of_value


@pytest.mark.parametrize(
    ("solution", "content"),
    [
        (r"so \boxed{204}", "204"),
        (r"first \boxed{1}, then $\boxed{2}$.", "2"),
        (r"$\boxed{\frac{1}{\sqrt{2}}}$", r"\frac{1}{\sqrt{2}}"),
        (r"$\boxed{\left\{1, 2\right\}}$", r"\left\{1, 2\right\}"),
        (r"$\boxed {7}$ or $\fbox{8}$", "8"),
        (r"the answer is $\boxed 2$.", "2"),
        (r"$\boxed{\left\{x : x > 1\right.}$ and $\boxed{[0, 1\}}$", r"[0, 1\}"),
        (r"\boxed{}", ""),
        (r"\boxed{1} and \boxed{2", "1"),
        ("no box", None),
    ],
)
def test_the_last_box(solution: str, content: str | None) -> None:
    assert last_box(solution) == content


def test_gsm8k_answers() -> None:
    assert text_after_marker("He has <<3*4=12>>12 apples.\n#### 12", "####") == "12"
    assert text_after_marker("… #### 1,234,567", "####") == "1234567"
    assert text_after_marker("… ####  -5 ", "####") == "-5"
    assert text_after_marker("no marker", "####") is None


def test_only_thousands_commas_are_removed() -> None:
    assert gold_without_thousands_commas("70,000") == "70000"
    assert gold_without_thousands_commas("1,234.5") == "1234.5"
    assert [gold_without_thousands_commas(text) for text in ("1,2", "(1,234)", "12,34")] == ["1,2", "(1,234)", "12,34"]


def test_integers_lose_zeros_in_front() -> None:
    assert [integer_gold(text) for text in ("033", "000", " 204 ", "-07")] == ["33", "0", "204", "-7"]
    assert [integer_gold(text) for text in ("3.0", "x", "", "1/2", "٣")] == [None] * 5


def test_levels() -> None:
    stated = (3, "3", "Level 3", "Level ?", "?", None, 5.0, "hard")
    assert [level_text_of_value(level) for level in stated] == ["3", "3", "3", "", "", "", "5", "hard"]


def test_answers_of_other_types() -> None:
    assert [text_of_value(value) for value in (204, 204.0, 0, "033", 2.5, None, float("nan"))] == [
        "204",
        "204",
        "0",
        "033",
        "2.5",
        "",
        "",
    ]
