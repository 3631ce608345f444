"""Golds in the shapes in which data sets state them. Pure functions of text."""

from __future__ import annotations

import re
from decimal import Decimal

from tvo_cli.readers.numbers import Number, number_text

BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
BARE_BOX = re.compile(r"\\boxed\s+([^\s$.,{}\\]+)")  # MATH has one `\boxed 2`, without braces
THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def last_box(solution: str) -> str | None:
    r"""The content of the last \boxed{…} with balanced braces; None without one, "" when it is empty."""
    found = [(match.start(), _closed(solution, match.end())) for match in BOXED.finditer(solution)]
    found += [(match.start(), match[1]) for match in BARE_BOX.finditer(solution)]
    whole = [(start, content) for start, content in found if content is not None]
    return max(whole)[1].strip() if whole else None


def _closed(text: str, start: int) -> str | None:
    """The text from `start` to the brace that closes the one before it."""
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


def after_marker(answer: str, marker: str) -> str | None:
    """What stands after the last `marker` ("… #### 1,072" → "1072"); None when the marker is absent."""
    _, found, tail = answer.rpartition(marker)
    return without_thousands(tail.strip()) if found else None


def without_thousands(number: str) -> str:
    """A number without its thousands commas; any other text as it is ("(1,234)" may be a point)."""
    return number.replace(",", "") if THOUSANDS.fullmatch(number) else number


def as_integer(answer: str) -> str | None:
    """An integer without zeros in front ("033" → "33"); None when it is not one."""
    text = answer.strip()
    return str(int(text)) if re.fullmatch(r"[+-]?[0-9]{1,400}", text) else None


def level_of(stated: object) -> str:
    """Difficulty "1" … "5" from 3, "3", "Level 3"; anything else as text, unknown ("Level ?") as ""."""
    text = as_text(stated).removeprefix("Level").strip()
    return "" if text == "?" else text


def as_text(stated: object) -> str:
    """A column as text: 204 and 204.0 (an integer column read with gaps) are "204", nothing is ""."""
    if stated is None or stated != stated:
        return ""
    if isinstance(stated, bytes):
        return stated.decode("utf-8", "replace").strip()
    return number_text(stated) if isinstance(stated, Number | float | Decimal) else str(stated).strip()
