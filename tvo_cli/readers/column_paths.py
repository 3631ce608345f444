"""Columns by path: `answer`, `reward_model.ground_truth`, `prompt.0.content`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = Mapping[str, object]


def value_at_path(row: Row, path: str) -> object:
    """Return the value of a row at a column path, a column of exactly that name first; None where there is none."""
    if path in row:
        return row[path]
    value: object = row
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def has_path(row: Row, path: str) -> bool:
    """Return whether a row has something at a column path, be it null."""
    if path in row:
        return True
    above, _, last = path.rpartition(".")
    holder = value_at_path(row, above) if above else None
    return (isinstance(holder, Mapping) and last in holder) or value_at_path(row, path) is not None
