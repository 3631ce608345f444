"""Tables and their cells, of which every format is made: a text for people and a value for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.stats import confidence_interval
from tvo_cli.stats.confidence_interval import ConfidenceInterval


class TableCell(NamedTuple):
    """A cell: what is read, what a program gets, and what a column is sorted by."""

    text: str
    value: Any = None
    order: float | None = None
    grey: bool = False  # not shown for want of runs: the text is the reason


@dataclass(frozen=True, slots=True)
class Table:
    """A table: rows of cells under headings; `note` says how to read them."""

    name: str  # a short one, for files and JSON
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[TableCell]]
    note: str = ""


def text_cell(value: str) -> TableCell:
    """Return the cell of a word."""
    return TableCell(value, value)


def number_cell(value: float | None, digits: int = 3) -> TableCell:
    """Return the cell of a number in so many digits."""
    return TableCell(formatting.format_number(value, digits), value, value)


def count_cell(value: float | None) -> TableCell:
    """Return the cell of a count, thousands apart."""
    unknown = value is None or math.isnan(value)
    return TableCell(formatting.UNKNOWN if unknown else f"{value:,.0f}", value, value)


def rate_cell(value: float | None) -> TableCell:
    """Return the cell of a learning rate."""
    return TableCell(formatting.format_rate(value), value, value)


def metric_cell(value: float | None, share: bool) -> TableCell:
    """Return the cell of a metric's value."""
    return TableCell(formatting.format_metric(value, share), value, value)


def interval_cell(found: ConfidenceInterval | None, share: bool = False) -> TableCell:
    """Return the cell of a mean with its interval."""
    if found is None:
        return TableCell(formatting.UNKNOWN)
    if share:  # the value says what the text says
        low, high = confidence_interval.cut_to_shares(found.low, found.high)
        found = found._replace(low=low, high=high)
    return TableCell(formatting.format_interval(found, share), found._asdict(), found.mean)


def greyed_cell(reason: str) -> TableCell:
    """Return a greyed cell: the value is not shown, and why."""
    return TableCell(reason, None, None, True)


def arm_and_rate_cells(cell: ArmAtRate) -> list[TableCell]:
    """Return the cells of arm and rate, with which a row begins."""
    is_own = cell.rate is None and any(trial.rate is not None for trial in cell.trials)
    return [text_cell(cell.arm), TableCell("own", "own", 0.0) if is_own else rate_cell(cell.rate)]


def without_empty_columns(table: Table) -> Table:
    """Return a table without its empty columns; one of nothing says so in its note."""
    said = range(1, len(table.headings))
    kept = [0, *(i for i in said if any(row[i].text not in ("", formatting.UNKNOWN) for row in table.rows))]
    if len(kept) == 1:
        return Table(table.name, table.title, table.headings, [], f"Nothing to show. {table.note}".strip())
    rows = [[row[i] for i in kept] for row in table.rows]
    return Table(table.name, table.title, [table.headings[i] for i in kept], rows, table.note)
