"""One row of a file, as it was read."""

from __future__ import annotations

from typing import Any, NamedTuple

from tvo_cli.readers.faults import Malformed


class Record(NamedTuple):
    """A row's fields, where it stands, and about how many bytes it has."""

    number: int  # from 1
    noun: str  # what is counted: line or row
    fields: dict[str, Any]
    size: int


Found = Record | Malformed
