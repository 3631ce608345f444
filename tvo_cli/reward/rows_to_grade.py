"""Rows for `tvo grade`, read one at a time from any file that readers/file_formats.py knows, or refused by line.

A row is an object with a gold and a prediction; its other fields pass through. The gold is read as for training
and evaluation (readers/golds.py). Refused are: what is not an object, a key given twice, a missing gold, one that
is empty, null or an object, a prediction that is neither text, number nor null, and a last line that was cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from tvo_cli.errors import UserError
from tvo_cli.readers import file_formats
from tvo_cli.readers.column_paths import has_path, value_at_path
from tvo_cli.readers.golds import Gold, gold_of
from tvo_cli.readers.numbers_as_spelled import SpelledNumber, number_text
from tvo_cli.readers.record import MalformedRecord, Record
from tvo_cli.readers.text_values import EATEN_BACKSLASH, check_text
from tvo_cli.reward.grader import can_judge_gold

ROWS_AT_ONCE = 512
BYTES_AT_ONCE = 16 << 20
TEXT_FIELDS = ("question", "problem")


@dataclass(frozen=True, slots=True)
class RowSource:
    """Where rows come from and how they name things."""

    name: str  # for messages
    gold: str = "gold"
    prediction: str = "prediction"
    profile: str = "math"  # decides which golds can be judged

    def refuse(self, fault: MalformedRecord) -> UserError:
        """The error of one row."""
        rest = "; what stands behind it cannot be read either" if fault.is_end else ""
        return UserError(f"{self.name}, {fault.noun}", fault.number, f"{fault.problem}{rest}.", fault.remedy)


@dataclass(frozen=True, slots=True)
class RowToGrade:
    """One row: all its fields, and what is graded."""

    line: int
    fields: dict[str, Any]
    gold: str
    prediction: str
    size: int  # bytes
    noun: str = "line"  # what is counted
    several: bool = False  # whether the gold is a list of several answers
    note: str = ""  # what is odd about the file and seen at this row

    @property
    def id(self) -> str:
        """The row's own id, or its line."""
        stated = self.fields.get("id")
        return f"{self.noun} {self.line}" if stated is None else str(stated)

    @property
    def question(self) -> str:
        """What was asked, where the row says it: an answer that copies it is none."""
        said = (self.fields.get(name) for name in TEXT_FIELDS)
        return next((text for text in said if isinstance(text, str)), "")


def read_rows(stream: IO[bytes], source: RowSource) -> Iterator[RowToGrade]:
    """The rows of a stream in their order; UserError at the first row that is none."""
    for found in rows_and_errors(stream, source):
        if isinstance(found, UserError):
            raise found
        yield found


def read_readable_rows(
    stream: IO[bytes], source: RowSource, leave_out: Callable[[UserError], None]
) -> Iterator[RowToGrade]:
    """The rows of a stream that can be read; `leave_out` is told the error of each that cannot."""
    for found in rows_and_errors(stream, source):
        if isinstance(found, UserError):
            leave_out(found)
        else:
            yield found


def rows_and_errors(stream: IO[bytes], source: RowSource) -> Iterator[RowToGrade | UserError]:
    """The rows of a stream, and in the place of one that cannot be read its error."""
    try:
        for found in file_formats.read_record_stream(stream, source.name):
            yield source.refuse(found) if isinstance(found, MalformedRecord) else _row_or_error(found, source)
    except MalformedRecord as fault:
        raise UserError("FILE", source.name, fault.problem, fault.remedy) from fault


def opened_rows_to_grade(path: Path, key: str) -> IO[bytes]:
    """The open file of rows; UserError, of this key, where it cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError(key, path, f"cannot be opened: {error.strerror}.", "Name another file.") from error


def read_row_mappings(rows: Iterable[Any], source: RowSource) -> Iterator[RowToGrade]:
    """The rows of a program, which are mappings already; UserError at the first that is none or cannot be graded."""
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            fault = MalformedRecord(f"is {type(row).__name__}, no mapping", "Each row is {gold, prediction}.")
            raise source.refuse(fault.at(number, "row"))
        fields = {str(name): _python_value_to_grade(value) for name, value in row.items()}
        found = _row_or_error(Record(number, "row", fields, sum(len(str(value)) for value in fields.values())), source)
        if isinstance(found, UserError):
            raise found
        yield found


def _python_value_to_grade(value: Any) -> Any:
    """A field of a row to grade: numpy's scalar as Python's own, an array as a list, pandas' missing value as None."""
    kind = type(value)
    if kind.__module__.startswith("pandas") and kind.__name__ in ("NAType", "NaTType"):
        return None
    return value.tolist() if kind.__module__ == "numpy" else value


def chunks_of_rows_to_grade(rows: Iterable[RowToGrade]) -> Iterator[list[RowToGrade]]:
    """Lists of rows of bounded number and size: what is held in memory at once."""
    waiting: list[RowToGrade] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += row.size
        if len(waiting) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _row_or_error(found: Record, source: RowSource) -> RowToGrade | UserError:
    try:
        gold, prediction = _row_gold(found.fields, source), _row_prediction(found.fields, source)
    except MalformedRecord as fault:
        return source.refuse(fault.at(found.number, found.noun))
    return RowToGrade(
        found.number, found.fields, gold.text, prediction, found.size, found.noun, gold.several, found.note
    )


def _row_field(fields: dict[str, Any], name: str, option: str) -> object:
    if not has_path(fields, name):
        named = ", ".join(list(fields)[:8]) or "no field"
        raise MalformedRecord(f"has no field {name!r} but {named}", f"Name it: --{option} FIELD")
    return value_at_path(fields, name)


def _row_gold(fields: dict[str, Any], source: RowSource) -> Gold:
    stated = _row_field(fields, source.gold, "gold")
    try:
        gold = gold_of(stated)
    except MalformedRecord as fault:
        raise MalformedRecord(fault.problem, fault.remedy.replace("COLUMN", f"--gold {source.gold}")) from fault
    if not gold.text:
        shown = "null" if stated is None else "nan" if stated != stated else "(empty)"
        raise MalformedRecord(f"its gold is {shown}: there is nothing to compare with", "Mend or remove the row.")
    if not can_judge_gold(source.profile, gold.text):
        raise MalformedRecord(f"its gold ({gold.text[:40]}) is not one that the profile {source.profile} can judge")
    return gold


def _row_prediction(fields: dict[str, Any], source: RowSource) -> str:
    said = _row_field(fields, source.prediction, "prediction")
    if said is None or said != said:
        return ""
    if isinstance(said, Sequence) and not isinstance(said, str) and len(said) == 1:
        said = said[0]
    if isinstance(said, bool) or not isinstance(said, str | int | float | Decimal):
        raise MalformedRecord(f"its prediction is {type(said).__name__}, not a text", "Write one completion a row.")
    return _prediction_text(said)


def _prediction_text(said: str | int | float | Decimal) -> str:
    if isinstance(said, SpelledNumber) or not isinstance(said, str):
        return number_text(said)
    if EATEN_BACKSLASH.search(said):
        check_text(said, "prediction")
    return said
