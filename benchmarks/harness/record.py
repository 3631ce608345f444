"""The JSON file of a benchmark: one schema, checked when it is written and when it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

FORMAT: Literal["tvo-benchmark/1"] = "tvo-benchmark/1"
Row = dict[str, Any]
Kind = Literal["text", "texts", "flag", "number", "numbers", "by_name"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


CHECKS: dict[Kind, Callable[[Any], bool]] = {
    "text": _is_text,
    "texts": _is_list_of(_is_text),
    "flag": lambda value: isinstance(value, bool),
    "number": lambda value: value is None or _is_number(value),  # None: not defined
    "numbers": _is_list_of(lambda value: value is None or _is_number(value)),
    "by_name": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Field(_Strict):
    """What one value of a row says."""

    kind: Kind
    what: str
    unit: str = ""  # "1" for a plain number

    @model_validator(mode="after")
    def _numbers_have_units(self) -> Field:
        if (self.unit == "") == (self.kind in ("number", "numbers", "by_name")):
            raise ValueError(f"{self.what!r}: a number has a unit, a text or flag has none")
        return self


Fields = Mapping[str, Field]


def text(what: str) -> Field:
    """A field of words."""
    return Field(kind="text", what=what)


def texts(what: str) -> Field:
    """A field of several words."""
    return Field(kind="texts", what=what)


def flag(what: str) -> Field:
    """A field that is true or false."""
    return Field(kind="flag", what=what)


def number(what: str, unit: str) -> Field:
    """A field of one number; null where it is not defined."""
    return Field(kind="number", what=what, unit=unit)


def numbers(what: str, unit: str) -> Field:
    """A field of several numbers."""
    return Field(kind="numbers", what=what, unit=unit)


def by_name(what: str, unit: str) -> Field:
    """A field of numbers by name."""
    return Field(kind="by_name", what=what, unit=unit)


class Table(_Strict):
    """Rows of one kind, each with exactly the declared fields."""

    fields: dict[str, Field]
    rows: list[Row]

    @model_validator(mode="after")
    def _rows_are_as_declared(self) -> Table:
        for number, row in enumerate(self.rows):
            if row.keys() != self.fields.keys():
                raise ValueError(f"row {number}: fields {sorted(row)}, declared {sorted(self.fields)}")
            for name, value in row.items():
                if not CHECKS[self.fields[name].kind](value):
                    raise ValueError(f"row {number}: {name}={value!r} is no {self.fields[name].kind}")
        return self


class Machine(_Strict):
    """Where it was measured."""

    processor: str
    cores: int
    load: float  # mean number of processes that ran or waited in the last minute, at the start
    platform: str
    gpu: str  # "" without one


class Record(_Strict):
    """Everything that is known of one measurement."""

    format: Literal["tvo-benchmark/1"]
    benchmark: str
    command: str
    quick: bool  # a test of the benchmark, no measurement to quote
    begun: str  # ISO 8601, UTC
    ended: str | None  # None: unfinished, the next start goes on
    seconds: float  # of all starts together
    settings: dict[str, Any]
    seeds: list[int]  # of every random choice; none where nothing is drawn
    versions: dict[str, str]
    machine: Machine
    notes: list[str]  # what a reader of the numbers has to know
    tables: dict[str, Table]

    def rows(self, table: str) -> list[Row]:
        """The rows of one table."""
        return self.tables[table].rows


def defined(value: float) -> float | None:
    """The number, or None for not a number: JSON has no word for that."""
    return None if math.isnan(value) else float(value)


def group(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by their values of some fields, in order of appearance."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def write(path: Path, record: Record) -> None:
    """Check, then write whole or not at all."""
    from tvo_cli.tracking.atomic_files import write_text_atomically

    content = Record.model_validate(record.model_dump()).model_dump()
    write_text_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> Record:
    """The record, if the file is one."""
    try:
        return Record.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{path} is no record of a benchmark: {problem}") from problem
