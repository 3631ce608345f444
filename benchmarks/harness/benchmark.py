"""The one shape of a benchmark: settings, declared tables, `measure` and `table`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.harness.record import Fields, Record, Row
from benchmarks.harness.settings import Settings

S = TypeVar("S", bound=Settings)


class Skipped(Exception):
    """This machine cannot do the measurement; the reason."""


class Unfinished(Exception):
    """Measuring stops here for now, and why; the record stays unfinished, and the same command goes on."""


@dataclass(frozen=True)
class Measurement:
    """Rows that are measured together; an unfinished record that has a row with this key has them all."""

    table: str
    key: Row
    measure: Callable[[], Row | list[Row]]  # the other fields of the row or rows

    def is_in(self, record: Record) -> bool:
        """Whether it was measured."""
        return any(all(row[name] == value for name, value in self.key.items()) for row in record.rows(self.table))

    def rows(self) -> list[Row]:
        """Measure: whole rows."""
        found = self.measure()
        return [self.key | row for row in (found if isinstance(found, list) else [found])]


@dataclass(frozen=True)
class Benchmark(Generic[S]):
    """One module of this folder."""

    name: str
    about: str
    settings: type[S]
    quick: Mapping[str, Any]  # settings with which it takes seconds: for tests, no measurement to quote
    tables: Mapping[str, Fields]
    measure: Callable[..., Iterator[Measurement]]  # of the settings; with `of_record` of the record too
    table: Callable[[Record], str]  # Markdown for the page in docs/results
    seeds: tuple[int, ...] = ()  # where the settings have no `seeds`: those that are written in the code
    notes: tuple[str, ...] = ()
    figure: Callable[[Record, Path], None] | None = None
    of_record: bool = False  # what is measured later depends on the rows before it
    any_machine: bool = False  # an unfinished record goes on on another machine and with other versions; a note says so
    rows_at_once: bool = False  # each row is written as soon as it is there, and to a .jsonl beside the record too

    def main(self) -> None:
        """The command line."""
        from benchmarks.harness.command_line import run

        raise SystemExit(run(self))
