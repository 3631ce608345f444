"""Rows of CSV and Parquet files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any, cast

from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.record import Found, Record
from tvo_cli.readers.text import HALF

LONGEST_FIELD = 64 << 20  # characters; Python's own limit is 131,072
BATCH = 1000
REMEDY = "Write the file as CSV in UTF-8."


def csv_rows(stream: IO[bytes], encoding: str, delimiter: str | None) -> Iterator[Found]:
    """Rows by the names of the first line; an empty field is nothing. A semicolon may stand for the comma."""
    csv.field_size_limit(LONGEST_FIELD)
    plain = "utf-8-sig" if encoding == "utf-8" else encoding
    text = io.TextIOWrapper(cast("Any", stream), encoding=plain, errors="surrogateescape", newline="")
    lines = _Counted(text)
    try:
        first = lines.first()
        chosen = delimiter or (";" if ";" in first and "," not in first else ",")
        yield from _table(csv.reader(lines, delimiter=chosen, strict=True), lines, encoding)
    except UnicodeDecodeError as error:  # of UTF-16: where the next character begins is not known
        problem = f"is not {encoding.upper()} ({error.reason})"
        yield Malformed(problem, REMEDY, number=lines.number + 1, is_end=True)
    finally:
        text.detach()


class _Counted:
    """Lines of a text, the first of which may be looked at."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._ahead, self.number = text, "", 0

    def first(self) -> str:
        self._ahead = self._text.readline().removeprefix("\ufeff")
        return self._ahead

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._ahead = self._ahead or self._text.readline(), ""
        if not line:
            raise StopIteration
        self.number += 1
        if HALF.search(line):  # a byte that no character begins with
            raise UnicodeError
        return line


def _table(rows: Any, lines: _Counted, encoding: str) -> Iterator[Found]:
    names: list[str] | None = None
    for number, values in _numbered(rows, lines, encoding):
        if isinstance(values, Malformed):
            yield values
        elif names is None:
            names = _distinct(values)
        elif len(values) == len(names):
            fields = {name: value if value else None for name, value in zip(names, values, strict=True)}
            yield Record(number, "line", fields, sum(map(len, values)))
        elif values:
            problem = f"has {len(values)} fields, the first line names {len(names)}"
            yield Malformed(problem, "Quote fields that hold the separator.", number=number)


def _numbered(rows: Any, lines: _Counted, encoding: str) -> Iterator[tuple[int, list[str] | Malformed]]:
    """Every row with the number of its first line; after one that is no CSV the reader goes on with the next line."""
    while True:
        number = lines.number + 1
        try:
            yield number, next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, Malformed(f"is not CSV ({error})", REMEDY, number=number)
        except UnicodeDecodeError:
            raise
        except UnicodeError:
            yield number, Malformed(f"is not {encoding.upper()}", REMEDY, number=lines.number)


def _distinct(names: list[str]) -> list[str]:
    if twice := [name for name in names if names.count(name) > 1]:
        raise Malformed(f"has two columns {twice[0]!r}.", "Give every column its own name.")
    return names


def parquet_rows(stream: IO[bytes]) -> Iterator[Found]:
    """Rows in batches, whatever the size of the file."""
    try:
        import pyarrow as arrow  # type: ignore[import-untyped]
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise Malformed("is Parquet, and pyarrow is not installed.", "Run: pip install pyarrow") from error
    try:
        batches = parquet.ParquetFile(stream).iter_batches(batch_size=BATCH)
        rows = (fields for batch in batches for fields in batch.to_pylist())
        for number, fields in enumerate(rows, 1):
            yield Record(number, "row", fields, len(str(fields)))
    except (arrow.ArrowException, OSError) as error:
        raise Malformed(f"cannot be read as Parquet ({str(error).splitlines()[0]}).", "Write it again.") from error
