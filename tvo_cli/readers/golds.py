r"""Golds: the answer that a value of a data set states, as one text.

A number keeps its digits, true and false are words, a list of one is its element, and of a worked solution the
last box counts (or what follows `####` in its last line). A list of several is all of them, "1, 2", which the
grader takes in any order; `several` says so, for a list of alternatives must not be read like that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from tvo_cli.readers.numbers_as_spelled import SpelledNumber, number_text
from tvo_cli.readers.record import MalformedRecord
from tvo_cli.readers.text_values import check_text

BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
BARE_BOX = re.compile(r"\\boxed\s+([^\s$.,{}\\]+)")  # MATH has one `\boxed 2`, without braces
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")

MARKED = re.compile(r"(?:^|\n)[ \t]*####[ \t]*\S[^\n]*\s*\Z")  # a solution of GSM8K
DOLLARS = re.compile(r"\$([^$]*)\$")
OPEN, CLOSED = "([{", ")]}"
SEVERAL = 'golds are lists of several answers; all of them must be given, in any order ("1, 2")'


class Gold(NamedTuple):
    """The gold of a row; "" where none is stated."""

    text: str
    several: bool = False  # it was a list


def gold_of(value: object, marker: str | None = None) -> Gold:
    """Return the gold that a value states; behind `marker` where one is named.

    Raises:
        MalformedRecord: the value is an object, an infinite number, or a list that is no list of texts and numbers.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _gold_of_list(value, marker)
    if isinstance(value, Mapping):
        inside = ", ".join(map(str, list(value)[:5])) or "nothing"
        raise MalformedRecord(
            f"has an object for an answer (with {inside})", "Name the part that is the answer: COLUMN.PART"
        )
    return Gold(_gold_of_scalar(value, marker))


def _gold_of_scalar(value: object, marker: str | None) -> str:
    """Return the gold that a text, number, true or false states."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, SpelledNumber | int | float | Decimal):
        return _gold_of_number(value)
    return _gold_in_text(check_text(_gold_of_bytes(value), "answer").strip(), marker)


def _gold_of_number(value: SpelledNumber | int | float | Decimal) -> str:
    if isinstance(value, float | Decimal) and abs(value) == float("inf"):
        raise MalformedRecord("has an infinite number for an answer", r'Write the answer as a text: "\\infty"')
    return number_text(value)


def _gold_of_bytes(value: object) -> str:
    """The gold that a value of bytes states; of another object its text."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRecord("has bytes for an answer that are no text", "Store the answer as text.") from error


def _gold_in_text(text: str, marker: str | None) -> str:
    """Return the gold that a text states: behind the marker, in the last box, or the text itself."""
    if marker:
        return text_after_marker(text, marker) or ""
    if "\\boxed" in text or "\\fbox" in text:  # some data sets put the whole solution there
        return last_box(text) or ""
    return text_after_marker(text, "####") or "" if MARKED.search(text) else text


def _gold_of_list(values: Sequence[object], marker: str | None) -> Gold:
    """Return the gold that a list states: its element, or all of several."""
    if len(values) == 1:
        return gold_of(values[0], marker)
    parts = [_gold_of_list_element(value, marker) for value in values]
    unique = list(dict.fromkeys(parts))
    return Gold(", ".join(unique), several=len(unique) > 1)


def _gold_of_list_element(value: object, marker: str | None) -> str:
    """Return the gold of one element of a list."""
    if isinstance(value, bool | Mapping) or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        kind = "an object" if isinstance(value, Mapping) else "true or false" if isinstance(value, bool) else "a list"
        raise MalformedRecord(
            f"has {kind} in the list that is its answer", r'Write the answer as one text, "(1,2), (3,4)".'
        )
    text = gold_without_thousands_commas(_gold_without_dollars(_gold_of_scalar(value, marker)))
    if not text or _has_comma_outside_brackets(text):
        why = f"{text!r}, a list itself," if text else "an empty answer"
        raise MalformedRecord(
            f"has {why} in the list that is its answer", r'Write the answer as one text, "(1,2), (3,4)".'
        )
    return text


def _gold_without_dollars(text: str) -> str:
    found = DOLLARS.fullmatch(text)
    return found[1].strip() if found else text


def _has_comma_outside_brackets(text: str) -> bool:
    """Return whether a gold has a comma outside of all brackets."""
    depth = 0
    for character in text.replace("\\left", "").replace("\\right", ""):
        depth += (character in OPEN) - (character in CLOSED)
        if character == "," and depth <= 0:
            return True
    return False


def last_box(solution: str) -> str | None:
    r"""Return the content of the last \boxed{…} with balanced braces; None without one, "" when it is empty."""
    found = [(match.start(), _gold_to_closing_brace(solution, match.end())) for match in BOXED.finditer(solution)]
    found += [(match.start(), match[1]) for match in BARE_BOX.finditer(solution)]
    whole = [(start, content) for start, content in found if content is not None]
    return max(whole)[1].strip() if whole else None


def _gold_to_closing_brace(text: str, start: int) -> str | None:
    """Return the text from `start` to the brace that closes the box."""
    depth, escaped = 1, False
    for at in range(start, len(text)):
        character = text[at]
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return text[start:at]
    return None


def text_after_marker(answer: str, marker: str) -> str | None:
    """Return the gold after the last `marker` ("… #### 1,072" → "1072"); None when the marker is absent."""
    _, found, tail = answer.rpartition(marker)
    return gold_without_thousands_commas(tail.strip()) if found else None


def gold_without_thousands_commas(number: str) -> str:
    """Return a number without its thousands commas; any other text as it is ("(1,234)" may be a point)."""
    return number.replace(",", "") if THOUSANDS.fullmatch(number) else number


def integer_gold(answer: str) -> str | None:
    """Return an integer gold without zeros in front ("033" → "33"); None when it is not one."""
    text = answer.strip()
    return str(int(text)) if re.fullmatch(r"[+-]?[0-9]{1,400}", text) else None
