"""Answers that are digits: integers from 0 to 999 in any dress, and the digits of a text."""

from __future__ import annotations

import re

from tvo_cli.reward.answers import number, structure
from tvo_cli.reward.answers.spelling import canonical
from tvo_cli.reward.answers.unit import quantity
from tvo_cli.reward.answers.words import unlabelled

LARGEST = 999
LONGEST = 200  # characters


def integer(text: str) -> str | None:
    r"""0 … 999 without leading zeros, of 033, 33.0, \text{33}, n = 33, 33^\circ; None for sums."""
    if len(text) > LONGEST or re.search(r"(?<!\\),\s*$", text):
        return None
    pieces = structure.split(unlabelled(canonical(text))[1], "=")
    while len(pieces) > 1 and structure.names_quantity(pieces[0]):
        pieces = pieces[1:]
    stated = quantity(re.sub(r"^\((.*)\)$", r"\1", pieces[0]))
    is_whole = len(pieces) == 1 and stated.known and stated.unit != (("percent", 1),)
    value = number.plain(stated.value) if is_whole else None
    return value if value is not None and value.isdecimal() and int(value) <= LARGEST else None


def digits(text: str) -> str | None:
    """The digits 0 … 9 of the text in their order."""
    return re.sub(r"[^0-9]", "", text) or None
