"""Ratios: 2:3 is 4:6, and 1:2:3 is no permutation of itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.answer_structure import split_outside_brackets

Same = Callable[[str, str], bool]
MOST = 12


def read_ratio(text: str) -> tuple[str, ...] | None:
    """The terms of a ratio; None for anything else."""
    if ":" not in text or "\\text" in text:
        return None
    terms = split_outside_brackets(text, ":")
    return terms if 2 <= len(terms) <= MOST and all(terms) and not set(text) & set("=<>") else None


def same_ratio(gold: tuple[str, ...], answer: tuple[str, ...], algebra: Same) -> bool:
    """As many terms, each pair of neighbours in the same proportion."""
    if len(gold) != len(answer):
        return False
    return gold == answer or all(
        _same_proportion(left, right, algebra) for left, right in pairwise(zip(gold, answer, strict=True))
    )


def _same_proportion(left: tuple[str, str], right: tuple[str, str], algebra: Same) -> bool:
    """g₁ : g₂ = a₁ : a₂ by g₁·a₂ = a₁·g₂."""
    (g1, a1), (g2, a2) = left, right
    values = [exact_number.parse_number(term) for term in (g1, a2, a1, g2)]
    if any(value is None for value in values):
        return algebra(rf"({g1})\cdot({a2})", rf"({a1})\cdot({g2})")
    first, second, third, fourth = (value or 0 for value in values)
    return 0 not in (first, second, third, fourth) and first * second == third * fourth
