"""A table that every format prints: cells with a text for people and a value for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tvo_cli.compare import formatting
from tvo_cli.stats.confidence_interval import ConfidenceInterval


class TableCell(NamedTuple):
    """One cell: what is read, what a program gets, and what a column is sorted by."""

    text: str
    value: Any = None
    order: float | None = None
    grey: bool = False  # not shown for want of runs: the text is the reason


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; `note` says how to read them."""

    name: str  # a short one, for files and JSON
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[TableCell]]
    note: str = ""


def text(value: str) -> TableCell:
    """A word."""
    return TableCell(value, value)


def number(value: float | None, digits: int = 3) -> TableCell:
    """A number in so many digits."""
    return TableCell(formatting.number(value, digits), value, value)


def whole(value: float | None) -> TableCell:
    """A count, thousands apart."""
    unknown = value is None or math.isnan(value)
    return TableCell(formatting.UNKNOWN if unknown else f"{value:,.0f}", value, value)


def rate(value: float | None) -> TableCell:
    """A learning rate."""
    return TableCell(formatting.rate(value), value, value)


def reading(value: float | None, share: bool) -> TableCell:
    """A metric's value."""
    return TableCell(formatting.reading(value, share), value, value)


def interval(found: ConfidenceInterval | None, share: bool = False) -> TableCell:
    """A mean with its interval."""
    if found is None:
        return TableCell(formatting.UNKNOWN)
    return TableCell(formatting.interval(found, share), found._asdict(), found.mean)


def greyed(reason: str) -> TableCell:
    """Not shown, and why."""
    return TableCell(reason, None, None, True)
