"""Suggestions of the names that a mistyped one may stand for: `Nearest: a, b.`"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ALIKE = 0.55  # of difflib: a letter or two of a short word


def closest_names(word: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the names that a mistyped one is spelled much like, in capitals or not, the nearest first."""
    names: dict[str, list[str]] = {}
    for name in sorted(set(known)):
        names.setdefault(name.casefold(), []).append(name)
    close = difflib.get_close_matches(word.casefold(), list(names), n=n, cutoff=ALIKE)
    return [name for one in close for name in names[one]][:n]


def nearest_names(word: str, known: Iterable[str]) -> str:
    """Suggest the names nearest to a mistyped one: `Nearest: a, b.`; all of a short list when nothing is near."""
    choices = sorted(set(known))
    ends = [one for one in choices if one.endswith(f".{word}")]
    close = [*ends, *(one for one in closest_names(word, choices) if one not in ends)][:3]
    if close:
        return f"Nearest: {', '.join(close)}."
    return f"There are: {', '.join(choices)}." if 0 < len(choices) <= 24 else ""
