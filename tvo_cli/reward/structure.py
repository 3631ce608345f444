r"""The outer structure of an answer: list, tuple or interval, set, union, `name = value`, words, a choice."""

from __future__ import annotations

import re
from typing import NamedTuple

OPEN, CLOSE = "([{", ")]}"
CONJUNCTION = re.compile(
    r"\\text\{\s*,?\s*(?:and|or)\s*\}|(?<![A-Za-z\\{])(?:and|or)(?![A-Za-z}])|\\(?:vee|lor|wedge|land)(?![a-zA-Z])",
    re.IGNORECASE,
)
SYMBOL = r"(?:[A-Za-z]+|\\(?!frac|sqrt|infty|text|pm|pi\b)[A-Za-z]+|\\text\{[^{}]*\})"
NAME = rf"(?:m?\\angle\s?)?{SYMBOL}(?:_\{{?\w+\}}?)?'*(?:\([^()=]*\))?"
NAMES = rf"\({SYMBOL}(?:,{SYMBOL})+\)"  # (x, y) = (1, 2)
NAMED = re.compile(rf"({NAME}|{NAMES})\s*(?:=|\\in(?![a-zA-Z]))\s*(.+)", re.DOTALL)
RELATION = re.compile(r"<|>|\\(?:le|ge|ne|lt|gt)(?![a-zA-Z])")
APPROXIMATE = re.compile(r"\\(?:approx|simeq)(?![a-zA-Z])")
CHOICE = re.compile(r"\(?([A-Z])\)?\.?")
UNWRAP = re.compile(r"\\text\{([^{}]*)\}")
REALS = re.compile(r"\\(?:mathbb\{R\}|mathbb\s?R|R|Reals|reals)(?![a-zA-Z])")


class Bracketed(NamedTuple):
    """(a, b), [a, b), \\{a, b\\}, \\langle a, b\\rangle: the two brackets and the parts between them."""

    opening: str
    closing: str
    parts: tuple[str, ...]


def split(text: str, separators: str = ",;") -> tuple[str, ...]:
    """The parts between separators (and "and", "or") outside all brackets; one part when there are none."""
    parts, depth, start = [], 0, 0
    text = CONJUNCTION.sub(",", text) if "," in separators else text
    for i, character in enumerate(text):
        if character in OPEN:
            depth += 1
        elif character in CLOSE:
            depth = max(0, depth - 1)
        elif depth == 0 and character in separators:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return tuple(part for part in parts if part)


def union(text: str) -> tuple[str, ...]:
    """The members of A ∪ B ∪ …"""
    return split(re.sub(r"\\cup(?![a-zA-Z])", "\x01", text), "\x01")


def bracketed(text: str) -> Bracketed | None:
    """The brackets around the whole text, when the first one closes at the very end."""
    for opening, closing in (("\\{", "\\}"), ("\\langle", "\\rangle")):
        if text.startswith(opening) and text.endswith(closing) and text.count(opening) == 1:
            return Bracketed(opening, closing, split(text[len(opening) : -len(closing)]))
    if len(text) < 2 or text[0] not in "([" or text[-1] not in ")]" or text.endswith("\\]"):
        return None
    depth = 0
    for i, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return Bracketed(text[0], text[-1], split(text[1:-1])) if i == len(text) - 1 else None
    return None


def named(text: str) -> tuple[str | None, str]:
    """("x", "5") of x = 5, f(3) = 5, x ∈ [1, 2]; (None, text) otherwise."""
    found = NAMED.fullmatch(text)
    if found is None or not _in_order(found[1]):
        return None, text
    return found[1].replace(" ", ""), found[2]


def _in_order(name: str) -> bool:
    """(x, y), not (y, x): the values of a tuple answer are asked for in the order of the alphabet."""
    letters = [letter.lstrip("\\") for letter in name.strip("()").split(",")]
    return letters == sorted(letters)


def words(text: str) -> str | None:
    r"""The words of a text answer in lower case, `\text{Evelyn}` → "evelyn"; None for mathematics."""
    if "\\text{" not in text and not re.fullmatch(r"[A-Za-z]{3,}(?:(?:, ?|[ -])[A-Za-z]+)*", text):
        return None
    plain = re.sub(r"[\s.]+", " ", UNWRAP.sub(r" \1 ", text)).strip()
    plain = re.sub(r" ?(?:, ?and\b|,|(?<= )and\b) ?", ", ", plain)
    if not re.fullmatch(r"[A-Za-z ,'()/-]+", plain):
        return None
    return plain.lower() if len(plain) > 1 else plain


def choice(text: str) -> str | None:
    r"""The letter of a multiple choice: C, (C), `\text{(C)}`; None for anything else."""
    found = CHOICE.fullmatch(UNWRAP.sub(r"\1", text).replace(" ", ""))
    return found[1] if found else None


def reals(text: str) -> str:
    """ℝ written as an interval."""
    return REALS.sub(r"(-\\infty,\\infty)", text)
