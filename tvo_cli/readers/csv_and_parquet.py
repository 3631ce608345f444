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
    columns: _CsvColumns | None = None
    for number, values in _numbered_csv_rows(rows, lines, encoding):
        if isinstance(values, MalformedRecord):
            yield values
        elif columns is None:
            columns = _CsvColumns(values) if any(map(str.strip, values)) else None  # an empty line names no column
        elif len(values) == columns.count:
            fields = columns.fields(values)
            column, value = next(reversed(fields.items()))
            torn = _said_of_open_end(lines.last, column, value) if columns.is_last_named else ""
            said = filter(None, (*columns.notes(number, values), torn))
            yield Record(number, "line", fields, sum(map(len, values)), "; ".join(said))
        elif values:
            problem = f"has {len(values)} fields, the first line names {columns.count}"
            yield MalformedRecord(problem, "Quote fields that hold the separator.", number=number)


class _CsvColumns:
    """The columns that the first line names: spaces around a name are left off, a column without one is not read."""

    def __init__(self, names: list[str]) -> None:
        self.count, self.is_last_named = len(names), bool(names[-1].strip())
        self._names = _distinct_csv_columns([name.strip() for name in names])
        spaced = [name for name in names if name.strip() not in ("", name)]
        self._spaced = f"the spaces around these column names are left off: {', '.join(map(repr, spaced))}"
        self._to_say = {"spaces"} if spaced else set[str]()
        self._to_say |= set() if all(self._names) else {"unnamed"}

    def fields(self, values: list[str]) -> dict[str, Any]:
        """Return the cells of a row by the names of their columns; an empty cell is null."""
        return {name: value if value else None for name, value in zip(self._names, values, strict=True) if name}

    def notes(self, number: int, values: list[str]) -> Iterator[str]:
        """Yield what is odd about the columns, once; `values` are the cells of line `number`."""
        if not self._to_say:
            return
        if "spaces" in self._to_say:
            self._to_say.remove("spaces")
            yield self._spaced
        unread = (value for name, value in zip(self._names, values, strict=True) if not name and value.strip())
        if value := next(unread, ""):
            self._to_say.remove("unnamed")
            yield f"a column without a name in the first line is not read (line {number} has {value[:40]!r} there)"


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
    """Return the column names; refuse two equal ones, but for columns without a name."""
    if twice := [name for name in names if name and names.count(name) > 1]:
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
