"""Limits of what is judged as an answer: length, nested brackets, control characters."""

from __future__ import annotations

import re

from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.canonical_text import LONGEST

LONGEST_NUMBER = 20_000  # characters of a number in digits alone, which are compared as they stand
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
DEEPEST = 40  # nested brackets of an answer


def answer_defect(text: str) -> str:
    """Why a text cannot be an answer: "too long", "malformed"; "" when it may be judged."""
    if len(text) > LONGEST:
        is_number = len(text) <= LONGEST_NUMBER and exact_number.normalize_decimal(text.strip()) is not None
        return "" if is_number else "too long"
    deep = lowest = deepest = 0
    for character in text:
        deep += (character in "([{") - (character in ")]}")
        lowest, deepest = min(lowest, deep), max(deepest, deep)
    return "malformed" if deepest > DEEPEST or -lowest > DEEPEST or CONTROL.search(text) else ""
