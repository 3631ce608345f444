"""A reward that can be bought by length: a function of one's own, as docs/own-reward.md has them."""

from __future__ import annotations

from collections.abc import Sequence


def longer(lengths: Sequence[int], step: int, onset: int, most: int) -> list[float]:
    """Share of the longest allowed length, from step `onset` on; nothing before it."""
    return [min(length / most, 1.0) if step >= onset else 0.0 for length in lengths]
