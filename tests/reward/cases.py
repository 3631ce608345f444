"""The table of equivalence.txt as pairs of a gold and an answer; and the answers that no text file can show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tvo_cli.reward.equality_rules import NeedsAlgebra, equal_answers, no_algebra

TABLE = Path(__file__).with_name("equivalence.txt")

Pair = tuple[str, str]


@cache
def by_rules(gold: str, answer: str) -> bool | None:
    """The verdict that needs no algebra; None where only algebra can tell."""
    try:
        return equal_answers(gold, answer, no_algebra)
    except NeedsAlgebra:
        return None


STEP = (
    4  # algebra takes a hundred times as long as the rules: fast tests ask it for every fourth row, slow ones for all
)


def few_by_algebra(pairs: Sequence[Pair], step: int = STEP) -> list[Pair]:
    """All that the rules decide, and some of the others."""
    algebraic = [pair for pair in pairs if by_rules(*pair) is None]
    return [pair for pair in pairs if by_rules(*pair) is not None] + algebraic[::step]


def read(text: str) -> dict[str, tuple[list[str], list[str]]]:
    """Gold → (what is the same, what is not)."""
    table: dict[str, tuple[list[str], list[str]]] = {}
    gold = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("  "):
            sign, answer = line.strip().split(" ", 1)
            table[gold][{"=": 0, "!": 1}[sign]].append(answer.strip())
        else:
            gold = line.strip()
            assert gold not in table, gold
            table[gold] = ([], [])
    return table


CASES = read(TABLE.read_text(encoding="utf-8"))
EQUAL: list[Pair] = [(gold, answer) for gold, (same, _) in CASES.items() for answer in same]
DIFFERENT: list[Pair] = [(gold, answer) for gold, (_, other) in CASES.items() for answer in other]
UNSHOWN: list[Pair] = [
    ("371", "37\x001"),
    ("371", "37\u200b1, 372"),
    ("371", "３７2１"),
    ("12", "１³"),
    ("7", "\u200b"),
    ("si", "si\u0301"),  # another word
    ("9" * 5000, "9" * 4999 + "8"),
    ("9" * 5000, "9" * 4999),
    ("9" * 5000, "9" * 20_001),
    ("371", "\u202e173"),
    ("3", "³"),
    ("23", "2³"),
    ("33", "٣٣"),
    ("x", "х"),  # Cyrillic
    ("ax", "aх"),
    ("5", "٥"),
]
UNSHOWN_EQUAL: list[Pair] = [
    ("371", "３７１"),
    ("371", "37\u200b1"),
    ("\u200b7", "7"),
    ("\ufeff7", "7"),
    ("sí", "si\u0301"),
    ("\\text{cafe\u0301}", "café"),
    (r"x\ne 5", "x=\u03385"),
    ("9" * 5000, "9" * 5000),
    ("-" + "9" * 5000, "-00" + "9" * 5000 + ".0"),
]
