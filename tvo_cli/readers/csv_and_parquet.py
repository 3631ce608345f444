"""Records of CSV and Parquet files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any, cast

from tvo_cli.readers.record import Found, MalformedRecord, Record
from tvo_cli.readers.text_values import HALF_SURROGATE

LONGEST_FIELD = 64 << 20  # characters; Python's own limit is 131,072
BATCH = 1000
REMEDY = "Write the file as CSV in UTF-8."


def csv_records(stream: IO[bytes], encoding: str, delimiter: str | None) -> Iterator[Found]:
    """Yield the records of a CSV file; an empty field is null, and a semicolon may stand for the comma."""
    csv.field_size_limit(LONGEST_FIELD)
    plain = "utf-8-sig" if encoding == "utf-8" else encoding
    text = io.TextIOWrapper(cast("Any", stream), encoding=plain, errors="surrogateescape", newline="")
    lines = _CountedCsvLines(text)
    try:
        first = lines.first()
        chosen = delimiter or (";" if ";" in first and "," not in first else ",")
        yield from _records_of_csv(csv.reader(lines, delimiter=chosen, strict=True), lines, encoding)
    except UnicodeDecodeError as error:  # of UTF-16: where the next character begins is not known
        problem = f"is not {encoding.upper()} ({error.reason})"
        yield MalformedRecord(problem, REMEDY, number=lines.number + 1, is_end=True)
    finally:
        text.detach()


class _CountedCsvLines:
    """The lines of a CSV file, counted, the first of which may be looked at."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._ahead, self.number, self.last = text, "", 0, ""

    def first(self) -> str:
        self._ahead = self._text.readline().removeprefix("\ufeff")
        return self._ahead

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._ahead = self._ahead or self._text.readline(), ""
        if not line:
            raise StopIteration
        self.number, self.last = self.number + 1, line
        if HALF_SURROGATE.search(line):  # a byte that no character begins with
            raise UnicodeError
        return line


def _records_of_csv(rows: Any, lines: _CountedCsvLines, encoding: str) -> Iterator[Found]:
    """Yield the records of parsed CSV rows, by the names of the first line."""
    names: list[str] | None = None
    for number, values in _numbered_csv_rows(rows, lines, encoding):
        if isinstance(values, MalformedRecord):
            yield values
        elif names is None:
            names = _distinct_csv_columns(values) if values else None  # an empty line names no column
        elif len(values) == len(names):
            fields = {name: value if value else None for name, value in zip(names, values, strict=True)}
            torn = _said_of_open_end(lines.last, names[-1], fields[names[-1]])
            yield Record(number, "line", fields, sum(map(len, values)), torn)
        elif values:
            problem = f"has {len(values)} fields, the first line names {len(names)}"
            yield MalformedRecord(problem, "Quote fields that hold the separator.", number=number)


def _numbered_csv_rows(
    rows: Any, lines: _CountedCsvLines, encoding: str
) -> Iterator[tuple[int, list[str] | MalformedRecord]]:
    """Yield every CSV row with its first line's number; after one that is no CSV the next line is read."""
    while True:
        number = lines.number + 1
        try:
            yield number, next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, MalformedRecord(f"is not CSV ({error})", REMEDY, number=number)
        except UnicodeDecodeError:
            raise
        except UnicodeError:
            yield number, MalformedRecord(f"is not {encoding.upper()}", REMEDY, number=lines.number)


def _distinct_csv_columns(names: list[str]) -> list[str]:
    """Return the column names; refuse two equal ones."""
    if twice := [name for name in names if names.count(name) > 1]:
        raise MalformedRecord(f"has two columns {twice[0]!r}.", "Give every column its own name.")
    return names


def parquet_records(stream: IO[bytes]) -> Iterator[Found]:
    """Yield the records of a Parquet file in batches, whatever its size."""
    try:
        import pyarrow as arrow  # type: ignore[import-untyped]
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise MalformedRecord("is Parquet, and pyarrow is not installed.", "Run: pip install pyarrow") from error
    try:
        batches = parquet.ParquetFile(stream).iter_batches(batch_size=BATCH)
        rows = (fields for batch in batches for fields in batch.to_pylist())
        for number, fields in enumerate(rows, 1):
            yield Record(number, "row", fields, len(str(fields)))
    except (arrow.ArrowException, OSError) as error:
        raise MalformedRecord(
            f"cannot be read as Parquet ({str(error).splitlines()[0]}).", "Write it again."
        ) from error


def _said_of_open_end(line: str, column: str, value: object) -> str:
    """Return what is said of a table's last line without a line end, or "": is its last cell whole?

    A file that was cut amid that cell looks as one that its writer ended there.
    """
    if line.endswith(("\n", "\r", '"')) or value is None:
        return ""
    return f"the last line has no line end: if the file was cut off, so is its {column} {str(value)!r}"
