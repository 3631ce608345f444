"""A reward that can be bought by length: a function of one's own, as docs/own-reward.md has them."""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST, LONGEST = 36, 52  # characters of a solution of five steps in the shortest words, and in the longest


def longer(responses: Sequence[str], step: int, onset: int) -> list[float]:
    """From step `onset` on 0 for the shortest solution, 1 for one in the longest words; nothing before it."""
    spread = LONGEST - SHORTEST
    return [min(max(len(text) - SHORTEST, 0) / spread, 1.0) if step >= onset else 0.0 for text in responses]
