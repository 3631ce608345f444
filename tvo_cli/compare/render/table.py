"""A table that every format prints: cells with a text for people and a value for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tvo_cli.compare import formatting
from tvo_cli.stats.interval import Interval


class Datum(NamedTuple):
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
    rows: Sequence[Sequence[Datum]]
    note: str = ""


def text(value: str) -> Datum:
    """A word."""
    return Datum(value, value)


def number(value: float | None, digits: int = 3) -> Datum:
    """A number in so many digits."""
    return Datum(formatting.number(value, digits), value, value)


def whole(value: float | None) -> Datum:
    """A count, thousands apart."""
    unknown = value is None or math.isnan(value)
    return Datum(formatting.UNKNOWN if unknown else f"{value:,.0f}", value, value)


def rate(value: float | None) -> Datum:
    """A learning rate."""
    return Datum(formatting.rate(value), value, value)


def reading(value: float | None, share: bool) -> Datum:
    """A metric's value."""
    return Datum(formatting.reading(value, share), value, value)


def interval(found: Interval | None, share: bool = False) -> Datum:
    """A mean with its interval."""
    if found is None:
        return Datum(formatting.UNKNOWN)
    return Datum(formatting.interval(found, share), found._asdict(), found.mean)


def greyed(reason: str) -> Datum:
    """Not shown, and why."""
    return Datum(reason, None, None, True)
