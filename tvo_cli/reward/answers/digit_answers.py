"""Answers that are digits: AIME's integers from 0 to 999 in any notation, and the digits of a text."""

from __future__ import annotations

import re

from tvo_cli.reward.answers import answer_structure, exact_number
from tvo_cli.reward.answers.canonical_text import canonical_text
from tvo_cli.reward.answers.labels_and_conditions import split_label
from tvo_cli.reward.answers.quantity import read_quantity

LARGEST = 999
LONGEST = 200  # characters


def read_aime_integer(text: str) -> str | None:
    r"""0 … 999 without leading zeros, of 033, 33.0, \text{33}, n = 33, 33^\circ; None for sums."""
    if len(text) > LONGEST or re.search(r"(?<!\\),\s*$", text):
        return None
    pieces = answer_structure.split_outside_brackets(split_label(canonical_text(text))[1], "=")
    while len(pieces) > 1 and answer_structure.names_quantity(pieces[0]):
        pieces = pieces[1:]
    stated = read_quantity(re.sub(r"^\((.*)\)$", r"\1", pieces[0]))
    is_whole = len(pieces) == 1 and stated.known and stated.unit != (("percent", 1),)
    value = exact_number.normalize_decimal(stated.value) if is_whole else None
    return value if value is not None and value.isdecimal() and int(value) <= LARGEST else None


def read_digits(text: str) -> str | None:
    """The digits 0 … 9 of the text in their order."""
    return re.sub(r"[^0-9]", "", text) or None
