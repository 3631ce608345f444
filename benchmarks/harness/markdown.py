"""Markdown tables, and how several values stand in one cell."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def median(values: Sequence[float]) -> float:
    """The median, 0 of nothing."""
    return statistics.median(values) if values else 0.0


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (least … most)`."""
    if not values:
        return "–"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})"


def several(cells: Iterable[object]) -> str:
    """`a · b · c`, for one cell with a value a size."""
    return " · ".join(map(str, cells))
