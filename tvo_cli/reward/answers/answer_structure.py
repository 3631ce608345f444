r"""The outer structure of a canonical answer: its parts and what joins them, its brackets, `name = value`."""

from __future__ import annotations

import re
from typing import NamedTuple

OPEN, CLOSE = "([{", ")]}"
JOINS = re.compile(
    r"\\text\{(,? ?(?:and|or(?:,? equivalently)?)|,? ?(?:i\.e\.|that is|equivalently|namely),?)\}"
    r"|\\(lor|land)(?![a-zA-Z])|[,;]",
    re.IGNORECASE,
)
LETTER = r"(?:[A-Za-z]|\\(?!frac|sqrt|infty|text|pm|pi\b|in\b|le\b|ge\b|ne\b)[A-Za-z]+ ?)"
SYMBOL = rf"(?:[A-Za-z]+|{LETTER}|\\text\{{[^{{}}]*\}})"
SUBSCRIPT = r"(?:_\{(?:[^{}]|\{[^{}]*\})*\})"
NAME = rf"(?:m?\\angle ?)?{SYMBOL}{SUBSCRIPT}?'*(?:\^\{{(?:-1|\*)\}})?(?:\([^()=]*\)|(?<=P)\([^()]*\))?"
NAMES = rf"\({SYMBOL}{SUBSCRIPT}?(?:,{SYMBOL}{SUBSCRIPT}?)+\)"  # (x, y) = (1, 2)
NAMED = re.compile(rf"({NAME}|{NAMES}|[A-Z]{{2,}}\^\{{\d\}})(?:=|\\in(?![a-zA-Z]))\s*(.+)", re.DOTALL)
RELATION = re.compile(r"<|>|\\(?:le|ge|ne)(?![a-zA-Z])")
LIMITED = re.compile(rf"{RELATION.pattern}|\\in(?![a-zA-Z])")
APPROXIMATE = re.compile(r"\\approx(?![a-zA-Z])")
SCRIPTS = re.compile(r"[_^]\{(?:[^{}]|\{[^{}]*\})*\}")
PROBABILITY = re.compile(r"(?:\\Pr|\b[PE])\([^()]*\)")
TEXT = re.compile(r"\\text\{([^{}]*)\}")
LONE_POWER = re.compile(r"(?:[a-z]|\\[a-z]+|[A-Za-z]\([^()]*\))\^\{[^{}]*\}|\\sqrt\{[a-z]\}")
NEGATIONS = re.compile(
    r"\b(?:not?|never|cannot|neither|nor|about|approximately|around|less|more|least|most|except)\b|n't", re.I
)

NO_NAMES = re.compile(  # words of other alphabets before = that make no name of what follows: "не = 5" is not 5
    r"\b(?:не|нет|ни|без|более|больше|менее|меньше|около|примерно|más|größer|höchstens|não)\b", re.I
)


class BracketedParts(NamedTuple):
    r"""(a, b), [a, b), \{a, b\}, \langle a, b\rangle: the two brackets and the parts between them."""

    opening: str
    closing: str
    parts: tuple[str, ...]


class JoinedParts(NamedTuple):
    """Parts side by side, and the joins between them: ",", "and", "or"."""

    parts: tuple[str, ...]
    joins: frozenset[str]


def split_at_joins(text: str) -> JoinedParts:
    """The parts between commas, "and" and "or" outside all brackets; one part when there are none."""
    parts: list[str] = []
    joins: set[str] = set()
    start = 0
    for position, found in _matches_outside_brackets(text, JOINS):
        join = _join_kind(found[0], found[1])
        if parts or text[start:position]:
            parts.append(text[start:position].strip())
        joins.add(join)
        start = position + len(found[0])
    parts.append(text[start:].strip())
    parts = [part for part in parts if part]
    joins -= {","} if len(joins) > 1 else set()  # "1, 2, and 3"
    return JoinedParts(tuple(parts), frozenset(joins) if len(parts) > 1 else frozenset())


def _join_kind(mark: str, words: str | None) -> str:
    """What joins two parts of an answer's outer structure: and, or, or a comma."""
    if words is not None:
        return "and" if words.strip(", ").lower() == "and" else "or"
    return {"\\lor": "or", "\\land": "and"}.get(mark, ",")


def _matches_outside_brackets(text: str, pattern: re.Pattern[str]) -> list[tuple[int, re.Match[str]]]:
    """The matches of a pattern that stand outside all brackets."""
    depth = depths_until = 0
    found = []
    for match in pattern.finditer(text):
        for character in text[depths_until : match.start()]:
            depth = max(0, depth + (character in OPEN) - (character in CLOSE))
        depths_until = match.start()
        if depth == 0:
            found.append((match.start(), match))
    return found


def split_outside_brackets(text: str, pattern: str) -> tuple[str, ...]:
    """The pieces between matches of a pattern outside all brackets."""
    pieces, start = [], 0
    for position, match in _matches_outside_brackets(text, re.compile(pattern)):
        pieces.append(text[start:position].strip())
        start = position + len(match[0])
    return (*pieces, text[start:].strip())


def read_brackets(text: str) -> BracketedParts | None:
    """The brackets around the whole text, when the first one closes at the very end."""
    for opening, closing in (("\\{", "\\}"), ("\\langle", "\\rangle")):
        if (
            text.startswith(opening)
            and text.endswith(closing)
            and _first_bracket_closes_at_end(text[1:] if opening == "\\{" else text)
        ):
            return BracketedParts(opening, closing, split_at_joins(text[len(opening) : -len(closing)]).parts)
    if len(text) < 2 or text[0] not in "([" or text[-1] not in ")]":
        return None
    return (
        BracketedParts(text[0], text[-1], split_at_joins(text[1:-1]).parts)
        if _first_bracket_closes_at_end(text)
        else None
    )


def _first_bracket_closes_at_end(text: str) -> bool:
    if text.startswith("\\langle"):
        return text.count("\\langle") == 1
    depth = 0
    for i, character in enumerate(text):
        depth += (character in OPEN) - (character in CLOSE)
        if depth == 0:
            return i == len(text) - 1
    return False


def split_name(text: str) -> tuple[str | None, str]:
    """("x", "5") of x = 5, f(3) = 5, x ∈ [1, 2]; (None, text) otherwise."""
    found = NAMED.fullmatch(text)
    if found is None or not _is_tuple_name_alphabetical(found[1]) or NO_NAMES.search(found[1]):
        return None, text
    return found[1].replace(" ", ""), found[2]


def is_equation(text: str) -> bool:
    """Whether = stands outside all brackets."""
    return "=" in text and len(split_outside_brackets(text, "=")) > 1


def _is_tuple_name_alphabetical(name: str) -> bool:
    """Whether the name in `(x, y) = …` asks for a tuple's values in the order of the alphabet, not (y, x)."""
    if not name.startswith("("):
        return True
    letters = [letter.lstrip("\\") for letter in name.strip("()").split(",")]
    return letters == sorted(letters)


def names_quantity(left: str) -> bool:
    r"""In `name = value`, whether the left side says what is asked for: BC^2, \frac mn, m+n; not 2x, 2+2 or x^2."""
    bare = PROBABILITY.sub("P", SCRIPTS.sub("", left))
    words = " ".join(TEXT.findall(left))
    if not bare or NEGATIONS.search(words) or NO_NAMES.search(words) or bare.startswith(("-", "+", "\\pm")):
        return False
    if "^" in left and re.search(r"[+-]", bare) and len(letters_of_expression(left)) < 2:
        return False  # n^2 + n = 6 is an equation for n
    if re.search(r"\d", bare) or LONE_POWER.fullmatch(left) or RELATION.search(left):
        return False
    return re.search(r"[A-Za-z]", re.sub(r"\\(?:pi|infty|frac|sqrt|cdot|times)(?![a-zA-Z])", "", bare)) is not None


def letters_of_expression(text: str) -> set[str]:
    """Letters and letter commands in the structure of an answer, without words and functions."""
    bare = TEXT.sub(" ", text)
    commands = set(
        re.findall(r"\\(?:alpha|beta|gamma|theta|lambda|mu|phi|omega|epsilon|delta|sigma|tau|rho)(?![a-z])", bare)
    )
    return commands | set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", bare)))
