"""Texts of a row's values: whole characters, no backslash lost in JSON, numbers as text."""

from __future__ import annotations

import re
from decimal import Decimal

from tvo_cli.readers.numbers_as_spelled import SpelledNumber, number_text
from tvo_cli.readers.record import MalformedRecord

HALF_SURROGATE = re.compile("[\ud800-\udfff]")
# \b and \f before the rest of a command
EATEN_BACKSLASH = re.compile("\x08(?:oxed|egin|inom|ar|eta|mod)|\x0c(?:rac|box|orall)")


def check_text(text: str, noun: str) -> str:
    """Return a text; refuse one with half a character or a lost backslash.

    Raises:
        MalformedRecord: it holds half a surrogate pair, or a LaTeX command whose backslash was written once in JSON.
    """
    if found := HALF_SURROGATE.search(text):
        problem = f"has half a character (\\u{ord(found[0]):04x}, of a pair of two) in its {noun}"
        raise MalformedRecord(problem, "Write the whole character, or remove it.")
    if found := EATEN_BACKSLASH.search(text):
        command = {"\x08": "b", "\x0c": "f"}[found[0][0]] + found[0][1:]
        problem = f"has a control character where its {noun} should say \\{command}"
        raise MalformedRecord(problem, f"In JSON a backslash is written twice: \\\\{command}")
    return text


def level_text_of_value(stated: object) -> str:
    """Return the difficulty "1" … "5" of 3, "3", "Level 3"; anything else as text, unknown ("Level ?") as ""."""
    text = text_of_value(stated).removeprefix("Level").strip()
    return "" if text == "?" else text


def text_of_value(stated: object) -> str:
    """Return a value as text: 204 and 204.0 (an integer column read with gaps) are "204", nothing is ""."""
    if stated is None or stated != stated:
        return ""
    if isinstance(stated, bytes):
        return stated.decode("utf-8", "replace").strip()
    return number_text(stated) if isinstance(stated, SpelledNumber | float | Decimal) else str(stated).strip()
