"""Rows to grade, read from JSON lines one at a time: what is malformed is refused with its line number.

A row is a JSON object with a gold and a prediction; its other fields pass through. A byte order mark at the
start, CRLF and blank lines are no error. Refused are: what is not a JSON object, a key given twice, a missing
gold, a gold that is empty, null, true, a list or an object, a prediction that is neither text, number nor null,
and a last line that was cut off. Numbers become text; a prediction of null is one without an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from math import isfinite
from typing import IO, Any

from tvo_cli.errors import UserError
from tvo_cli.reward.grader import knows_gold

MARK = b"\xef\xbb\xbf"
LONGEST_LINE = 64 << 20  # bytes: what holds no line ends is not JSON lines
ROWS_AT_ONCE = 512
BYTES_AT_ONCE = 16 << 20
TEXT_FIELDS = ("question", "problem")


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from and how they name things."""

    name: str  # for messages
    gold: str = "gold"
    prediction: str = "prediction"
    profile: str = "math"  # decides which golds can be judged

    def refuse(self, line: int, problem: str, remedy: str = "") -> UserError:
        """The error of one line."""
        return UserError(f"{self.name}, line", line, problem, remedy)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: all its fields, and what is graded."""

    line: int
    fields: dict[str, Any]
    gold: str
    prediction: str
    size: int  # bytes

    @property
    def id(self) -> str:
        """The row's own id, or its line."""
        stated = self.fields.get("id")
        return f"line {self.line}" if stated is None else str(stated)

    @property
    def question(self) -> str:
        """What was asked, where the row says it: an answer that copies it is none."""
        said = (self.fields.get(name) for name in TEXT_FIELDS)
        return next((text for text in said if isinstance(text, str)), "")


def read(stream: IO[bytes], source: Source) -> Iterator[Row]:
    """The rows of a stream in their order; UserError at the first line that is none."""
    for line, data in enumerate(_lines(stream, source), 1):
        if data.strip():
            yield _row(line, data, source)


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Lists of rows of bounded number and size: what is held in memory at once."""
    waiting: list[Row] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += row.size
        if len(waiting) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _lines(stream: IO[bytes], source: Source) -> Iterator[bytes]:
    first = stream.readline(LONGEST_LINE).removeprefix(MARK)
    for line, data in enumerate(chain([first], iter(lambda: stream.readline(LONGEST_LINE), b"")), 1):
        if len(data) >= LONGEST_LINE:
            raise source.refuse(line, f"is longer than {LONGEST_LINE >> 20} MB.", "Put one row on each line.")
        yield data


def _row(line: int, data: bytes, source: Source) -> Row:
    fields = _object(line, data, source)
    gold, prediction = _gold(line, fields, source), _prediction(line, fields, source)
    return Row(line, fields, gold, prediction, len(data))


def _object(line: int, data: bytes, source: Source) -> dict[str, Any]:
    try:
        read_ = json.loads(data.decode("utf-8"), strict=False, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise source.refuse(line, f"is not UTF-8 (byte {error.start}).", "Write the file as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise _not_json(line, data, source, error) from error
    if not isinstance(read_, dict):
        raise source.refuse(line, "is not an object.", f'Write {{"{source.gold}": …, "{source.prediction}": …}}.')
    return read_


def _not_json(line: int, data: bytes, source: Source, error: Exception) -> UserError:
    if isinstance(error, RecursionError):
        return source.refuse(line, "is nested too deep.")
    if not data.endswith(b"\n"):
        remedy = f"If it may go: head -n {line - 1} FILE | tvo grade -"
        return source.refuse(line, f"the last line is cut off ({error}).", remedy)
    return source.refuse(line, f"is not JSON ({error}).")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return fields


def _gold(line: int, fields: dict[str, Any], source: Source) -> str:
    gold = fields.get(source.gold)
    if source.gold not in fields:
        named = ", ".join(list(fields)[:8]) or "no field"
        raise source.refuse(line, f"has no field {source.gold!r} but {named}.", "Name it: --gold FIELD")
    if isinstance(gold, bool) or not isinstance(gold, str | int | float):
        kind = type(gold).__name__ if gold is not None else "null"
        raise source.refuse(line, f"its gold is {kind}, not a text or a number.", r'Write a list as "1, 2".')
    if isinstance(gold, float) and not isfinite(gold):
        raise source.refuse(line, f"its gold is {gold}, not a number.")
    text = gold if isinstance(gold, str) else _number(gold)
    if not knows_gold(source.profile, text):
        shown = text[:40] or "empty"
        raise source.refuse(line, f"its gold ({shown}) is not one that the profile {source.profile} can judge.")
    return text


def _prediction(line: int, fields: dict[str, Any], source: Source) -> str:
    said = fields.get(source.prediction)
    if source.prediction not in fields:
        named = ", ".join(list(fields)[:8])
        raise source.refuse(line, f"has no field {source.prediction!r} but {named}.", "Name it: --prediction FIELD")
    if said is None:
        return ""
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        kind = type(said).__name__
        raise source.refuse(line, f"its prediction is {kind}, not a text.", "Write one completion a row.")
    return said if isinstance(said, str) else _number(said)


def _number(stated: int | float) -> str:
    """33.0 is 33 and 1e-7 is 0.0000001: the value as people write it."""
    if isinstance(stated, float) and stated.is_integer():
        stated = int(stated)
    return f"{Decimal(repr(stated)):f}"
