r"""The gold that a value states, as one text.

A number keeps its digits, true and false are words, a list of one is its element, and of a worked solution the
last box counts (or what follows `####` in its last line). A list of several is all of them, "1, 2", which the
grader takes in any order; `several` says so, for a list of alternatives must not be read like that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from tvo_cli.readers.answers import after_marker, last_box, without_thousands
from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.numbers import Number, number_text
from tvo_cli.readers.text import checked

MARKED = re.compile(r"(?:^|\n)[ \t]*####[ \t]*\S[^\n]*\s*\Z")  # a solution of GSM8K
DOLLARS = re.compile(r"\$([^$]*)\$")
OPEN, CLOSED = "([{", ")]}"
SEVERAL = 'golds are lists of several answers; all of them must be given, in any order ("1, 2")'


class Gold(NamedTuple):
    """A gold; "" where none is stated."""

    text: str
    several: bool = False  # it was a list


def gold_of(value: object, marker: str | None = None) -> Gold:
    """The gold that a value states; behind `marker` where one is named.

    Raises:
        Malformed: the value is an object, an infinite number, or a list that is no list of texts and numbers.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _of_list(value, marker)
    if isinstance(value, Mapping):
        inside = ", ".join(map(str, list(value)[:5])) or "nothing"
        raise Malformed(f"has an object for an answer (with {inside})", "Name the part that is the answer: COLUMN.PART")
    return Gold(_scalar(value, marker))


def _scalar(value: object, marker: str | None) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number | int | float | Decimal):
        return _number(value)
    return _stated(checked(_text(value), "answer").strip(), marker)


def _number(value: Number | int | float | Decimal) -> str:
    if isinstance(value, float | Decimal) and abs(value) == float("inf"):
        raise Malformed("has an infinite number for an answer", r'Write the answer as a text: "\\infty"')
    return number_text(value)


def _text(value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("has bytes for an answer that are no text", "Store the answer as text.") from error


def _stated(text: str, marker: str | None) -> str:
    if marker:
        return after_marker(text, marker) or ""
    if "\\boxed" in text or "\\fbox" in text:  # some data sets put the whole solution there
        return last_box(text) or ""
    return after_marker(text, "####") or "" if MARKED.search(text) else text


def _of_list(values: Sequence[object], marker: str | None) -> Gold:
    if len(values) == 1:
        return gold_of(values[0], marker)
    parts = [_element(value, marker) for value in values]
    unique = list(dict.fromkeys(parts))
    return Gold(", ".join(unique), several=len(unique) > 1)


def _element(value: object, marker: str | None) -> str:
    if isinstance(value, bool | Mapping) or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        kind = "an object" if isinstance(value, Mapping) else "true or false" if isinstance(value, bool) else "a list"
        raise Malformed(f"has {kind} in the list that is its answer", r'Write the answer as one text, "(1,2), (3,4)".')
    text = without_thousands(_bare(_scalar(value, marker)))
    if not text or _has_comma(text):
        why = f"{text!r}, a list itself," if text else "an empty answer"
        raise Malformed(f"has {why} in the list that is its answer", r'Write the answer as one text, "(1,2), (3,4)".')
    return text


def _bare(text: str) -> str:
    found = DOLLARS.fullmatch(text)
    return found[1].strip() if found else text


def _has_comma(text: str) -> bool:
    """Whether a comma stands outside of all brackets."""
    depth = 0
    for character in text.replace("\\left", "").replace("\\right", ""):
        depth += (character in OPEN) - (character in CLOSED)
        if character == "," and depth <= 0:
            return True
    return False
