"""The formats of another tool's log file: JSON with a list of rows, JSON lines, or CSV, each read as rows."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvo_cli.runs.tool_mappings import STEPS, ToolMapping
from tvo_cli.tracking.json_decoding import decode_json

Rows = list[dict[str, Any]]
DECODER, NEXT_ROW = json.JSONDecoder(), re.compile(r"[\s,]*(?=\{)")


@dataclass(frozen=True, slots=True)
class LoggedRows:
    """Rows under their own names, the document around them, and what was wrong with the file."""

    rows: Rows
    document: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()


def read_logged_rows(file: Path, chosen: ToolMapping) -> LoggedRows:
    """Read the rows of a file, by its suffix or by the mapping."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if chosen.rows:
        return _rows_in_document(text, file.name, chosen.rows)
    if file.suffix.lower() in (".csv", ".tsv"):
        return _rows_of_csv(text, file.name, chosen.step)
    return _rows_in_array(text) or _rows_of_json_lines(text, file.name)


def _rows_in_document(text: str, name: str, key: str) -> LoggedRows:
    """Read the logged rows that stand in a list of a JSON document."""
    try:
        document = decode_json(text)
    except ValueError:
        return _rows_of_torn_document(text, name, key)
    listed = document.get(key) if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return LoggedRows([], {}, (f"{name} has no list {key}; nothing of it can be read",))
    return LoggedRows([row for row in listed if isinstance(row, dict)], document)


def _rows_of_torn_document(text: str, name: str, key: str) -> LoggedRows:
    """Read the whole rows of a document that ends amid its list, as one that is still being written does."""
    begun = re.search(rf'"{re.escape(key)}"\s*:\s*\[', text)
    rows: Rows = []
    at = begun.end() if begun else len(text)
    while found := NEXT_ROW.match(text, at):
        try:
            row, at = DECODER.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            break
        rows += [row] if isinstance(row, dict) else []
    if not rows:
        return LoggedRows([], {}, (f"{name} is not JSON; nothing of it can be read",))
    return LoggedRows(rows, {}, (f"{name} ends amid its list {key}; its {len(rows)} whole rows are read",))


def _rows_in_array(text: str) -> LoggedRows | None:
    """Read logged rows of a file that is one JSON array of them; None where it is not."""
    if not text.lstrip().startswith("["):
        return None
    try:
        listed = decode_json(text)
    except ValueError:
        return None
    rows = [row for row in listed if isinstance(row, dict)]
    return LoggedRows(rows) if rows else None


def _rows_of_json_lines(text: str, name: str) -> LoggedRows:
    """Read logged rows of JSON lines; broken lines are left out and told."""
    rows: Rows = []
    said: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            row = decode_json(line) if line.strip() else {}
        except ValueError:
            said.append(f"line {number} of {name} is not JSON; it is left out")
            continue
        rows += [row] if isinstance(row, dict) and row else []
    return LoggedRows(rows, {}, tuple(said))


def _rows_of_csv(text: str, name: str, step: str) -> LoggedRows:
    """Read a table with a head; empty cells are missing values. Rows without a step, of any usual name, are numbered.

    step: its name by the mapping; one of the user's own is the only one that is looked for.
    """
    head = text.splitlines()[:1]
    separator = max(",\t;", key=head[0].count) if head else ","
    table = list(csv.reader(io.StringIO(text), delimiter=separator))
    said = []
    if len(table) > 2 and len(table[-1]) < len(table[0]) and not text.endswith("\n"):
        table.pop()
        said.append(f"the last line of {name} is torn; it is left out")
    elif len(table) > 1 and table[-1] and table[-1][-1] and not text.endswith(("\n", '"')):
        cell = f"{table[0][-1]} {table[-1][-1]!r}"
        said.append(f"the last line of {name} has no line end: if the file was cut off, so is its {cell}")
    rows = [dict(_logged_values(dict(zip(table[0], cells, strict=False)))) for cells in table[1:] if cells]
    if not rows or step not in STEPS or any(set(STEPS) & set(row) for row in rows):
        return LoggedRows(rows, {}, tuple(said))
    numbered: Rows = [{"step": at, **row} for at, row in enumerate(rows, start=1)]
    said.append(f"{name} has no column of steps; its rows are numbered from 1")
    return LoggedRows(numbered, {}, tuple(said))


def _logged_values(row: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield the values of a logged CSV row, without empty cells."""
    for name, text in row.items():
        if text.strip():
            yield name.strip().strip('"'), _logged_value(text.strip())


def _logged_value(text: str) -> Any:
    """A cell of a logged CSV row as a number where it is one."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "." not in text and "e" not in text.lower() else number
