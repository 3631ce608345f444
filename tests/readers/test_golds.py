"""What counts as the gold of a row, whatever type its file gives it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tvo_cli.readers.golds import gold_of
from tvo_cli.readers.numbers_as_spelled import SpelledNumber, number_text
from tvo_cli.readers.record import MalformedRecord


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ("12", "12"),
        (" x+1 \n", "x+1"),
        (SpelledNumber("1e-5"), "0.00001"),
        (1e-05, "0.00001"),
        (SpelledNumber("0.10"), "0.10"),
        (SpelledNumber("9" * 5000), "9" * 5000),
        (33.0, "33"),
        (Decimal("2.50"), "2.50"),
        (-3, "-3"),
        (True, "true"),
        (False, "false"),
        (["10"], "10"),
        ([["10"]], "10"),
        ([SpelledNumber("7")], "7"),
        (["1", "2"], "1, 2"),
        ([2, "$1$", "1,024"], "2, 1, 1024"),
        (["(1,2)", r"\left[3,4\right)"], r"(1,2), \left[3,4\right)"),
        (["5", "5"], "5"),
        (b"12", "12"),
        (r"Adding, $x = 2+3 = \boxed{5}.$", "5"),
        ([r"so \fbox{\frac{1}{2}}"], r"\frac{1}{2}"),
        ("He has 3*4=12.\n#### 1,200\n", "1200"),
        ("a #### b", "a #### b"),
        (None, ""),
        (float("nan"), ""),
        ("", ""),
        ([], ""),
        ([None], ""),
        (r"\boxed{}", ""),
    ],
)
def test_the_gold_that_a_value_states(stated: object, text: str) -> None:
    assert gold_of(stated).text == text


def test_a_named_mark_comes_first() -> None:
    assert gold_of(r"\boxed{1} Answer: 1,000", "Answer:").text == "1000"
    assert gold_of("no mark", "Answer:").text == ""


def test_only_a_list_of_different_answers_is_several() -> None:
    assert [gold_of(one).several for one in (["1", "2"], ["1", "1"], ["1"], "1, 2", 5)] == [True, False, False] + [
        False
    ] * 2


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"value": 5}, r"has an object for an answer \(with value\)"),
        ({}, "has an object for an answer"),
        ([{"value": 5}], "has an object for an answer"),
        ([{"value": 5}, "1"], "has an object in the list"),
        ([[1, 2], [3, 4]], "has a list in the list"),
        ([True, False], "has true or false in the list"),
        (["1, 2", "3"], "has '1, 2', a list itself, in the list"),
        (["1", None], "has an empty answer in the list"),
        (float("inf"), "an infinite number"),
        (Decimal("-Infinity"), "an infinite number"),
        ("emoji \ud83d", r"half a character \(\\ud83d"),
        ("\x08oxed{5}", r"should say \\boxed"),
        ("\x0crac{1}{2}", r"should say \\frac"),
        (b"\xff", "bytes for an answer"),
    ],
)
def test_what_is_no_gold_says_why(stated: object, said: str) -> None:
    with pytest.raises(MalformedRecord, match=said):
        gold_of(stated)


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        ("4.5e33", "45" + "0" * 32),
        ("12e-1", "1.2"),
        ("-1.50e2", "-150"),
        ("-0.0", "0"),
        ("0e999", "0"),
        ("1e400", r"1 \times 10^{400}"),
        ("-2.50E-400", r"-2.5 \times 10^{-400}"),
        ("1e" + "9" * 5000, r"1 \times 10^{" + "9" * 20 + "}"),
    ],
)
def test_numbers_as_people_write_them(spelled: str, text: str) -> None:
    assert number_text(SpelledNumber(spelled)) == text
