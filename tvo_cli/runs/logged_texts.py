"""Texts where another tool's known columns should have numbers: read where they are numbers, and said in any case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvo_cli.runs.tool_mappings import MappedColumns
from tvo_cli.runs.trial import finite_number_of
from tvo_cli.tracking.metric_names import is_known_metric
from tvo_cli.tracking.metrics_file import NOT_FINITE

Rows = Sequence[dict[str, Any]]
TERMS = "rewards/"  # how TRL names the functions of a reward
LONGEST = 40  # characters of a text in a note


def with_numbers_of_texts(rows: Rows, ours: MappedColumns) -> tuple[Rows, list[str]]:
    """Return rows in which a known metric's texts are numbers where they can be, and notes on all such columns."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str) and name != ours.step and value.lower() not in NOT_FINITE:
                found.setdefault(name, []).append(value)
    known = {name: texts for name, texts in found.items() if _is_metric_column(name, ours)}
    if not known:
        return rows, []
    numbers = {
        text: number for texts in known.values() for text in texts if (number := finite_number_of(text)) is not None
    }
    read = [
        {
            name: numbers.get(value, value) if name in known and isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return read, [note for name, texts in known.items() for note in _notes_on_texts(name, texts, rows)]


def _is_metric_column(theirs: str, ours: MappedColumns) -> bool:
    """Whether another tool's column is a metric by its name, by a trainer's mapping or by the user's."""
    name = ours.name(theirs)
    return is_known_metric(name) or name != theirs or TERMS in theirs


def _notes_on_texts(name: str, texts: Sequence[str], rows: Rows) -> list[str]:
    """Return what is said of a metric's column that holds texts: those that were read, and those that were not."""
    unread = [text for text in texts if finite_number_of(text) is None]
    if unread:
        size = sum(name in row for row in rows)
        return [f"{name} is a text ({unread[0][:LONGEST]!r}) in {len(unread)} of {size} rows; not read"]
    return [f"{name} is a text ({texts[0][:LONGEST]!r}); read as a number"]
