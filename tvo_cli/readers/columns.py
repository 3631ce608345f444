"""Values of a row by the path that leads to them: `answer`, `reward_model.ground_truth`, `prompt.0.content`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = Mapping[str, object]


def walk(row: Row, path: str) -> object:
    """The value at `path`; a column of exactly that name comes first. None where the path leads nowhere."""
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


def leads(row: Row, path: str) -> bool:
    """Whether the row has something at `path`, be it null."""
    if path in row:
        return True
    above, _, last = path.rpartition(".")
    holder = walk(row, above) if above else None
    return (isinstance(holder, Mapping) and last in holder) or walk(row, path) is not None
