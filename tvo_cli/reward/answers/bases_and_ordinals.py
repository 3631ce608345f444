r"""Numerals: a number in base n in its spellings (1011_2, (1011)_{two}, 1011 base 2, 0x1F), and ordinals (12^{th})."""

from __future__ import annotations

import re
from typing import NamedTuple

NAMES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
BASES = {name: str(base) for base, name in enumerate(NAMES, 2)} | {"sixteen": "16", "hex": "16"}
BASES |= {"binary": "2", "octal": "8", "hexadecimal": "16"}
DIGITS = r"(-?)\(?((?=[A-Fa-f]*\d)[0-9A-F][0-9A-Fa-f]*(?:\.[0-9A-F]+)?|(?:\\text\{)?[A-F][0-9A-F]*\}?(?=_))\)?"
SUBSCRIPT = r"_\{\(?(?:\\text\{)?(?:base ?)?\}?(\w+?)\}?\)?\}"
WORDS = r"\\text\{,? ?\(?(?:in )?(?:base(?: (\w+))?|(binary|octal|hexadecimal))\}\(?(\d*)\)?"
BASE = re.compile(rf"{DIGITS}(?:{SUBSCRIPT}|{WORDS})", re.ASCII)
CODED = re.compile(r"(-?)0([xX][0-9A-Fa-f]+|b[01]+|o[0-7]+)", re.ASCII)
CODES = {"x": "16", "b": "2", "o": "8"}
ORDINAL = re.compile(
    r"(?:\\text\{[Tt]he\})?(-?\d+)\s?(?:\^\{)?(?:\\text\{)?(?:st|nd|rd|th)(?![a-z])\}{0,2}"
    r"(?:(?:\\text\{)? ?(?!roots?|powers?)[a-z]{3,}\})?",
    re.ASCII,
)


class NumberInBase(NamedTuple):
    """Digits without leading zeros, and the base; "" where it is not said."""

    digits: str
    base: str


def read_number_in_base(text: str) -> NumberInBase | None:
    """A number in a stated base; None for anything else."""
    found = CODED.fullmatch(text)
    if found is not None:
        return NumberInBase(found[1] + _digits_in_base(found[2][1:]), CODES[found[2][0].lower()])
    found = BASE.fullmatch(re.sub(r"^\\overline\{(\w+)\}_", r"\1_", text))
    if found is None:
        return None
    base = (found[3] or found[4] or found[5] or found[6] or "").lower()
    base, digits = BASES.get(base, base), _digits_in_base(found[2])
    return NumberInBase(found[1] + digits, base) if _digits_fit_base(digits, base) else None


def _digits_fit_base(digits: str, base: str) -> bool:
    """Whether every digit is less than the base."""
    if not re.fullmatch(r"[1-9]\d?", base, re.ASCII) or not 2 <= int(base) <= 36:
        return False
    return all(int(digit, 36) < int(base) for digit in digits.replace(".", ""))


def read_number_without_base(text: str) -> NumberInBase | None:
    """Digits whose base is left out."""
    found = re.fullmatch(DIGITS, text, re.ASCII)
    return NumberInBase(found[1] + _digits_in_base(found[2]), "") if found else None


def _digits_in_base(text: str) -> str:
    return re.sub(r"\\text\{|\}", "", text).upper().lstrip("0") or "0"


def same_number_in_base(gold: NumberInBase, answer: NumberInBase) -> bool:
    """The same digits in the same base, which one side may leave out."""
    return gold.digits == answer.digits and (gold.base == answer.base or "" in (gold.base, answer.base))


def strip_ordinal_suffix(text: str) -> str:
    r"""12 of 12^{\text{th}}, 12th and 12\text{th grade}; other texts as they are."""
    found = ORDINAL.fullmatch(text)
    return found[1] if found else text
