"""Records of JSON lines or of a JSON array. Numbers keep their digits."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from typing import IO, Any, cast

from tvo_cli.readers.json_stream import JsonStream, JsonStreamError
from tvo_cli.readers.numbers_as_spelled import SpelledNumber
from tvo_cli.readers.record import Found, MalformedRecord, Record

LONGEST = 64 << 20  # bytes: what holds no line ends is not JSON lines
MOST_DIGITS = 4300  # of an integer that Python's json reads; a longer one is written as a text
MARK = b"\xef\xbb\xbf"
OLD_ENDS = re.compile(rb"\}[ \t]*\r[ \t\r]*\{")  # lines that end in CR alone
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # bytes that no text has
OBJECT_PER_LINE = "Every line must be one JSON object in UTF-8."


def refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; refuse one with a key given twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return fields


DECODER = json.JSONDecoder(
    strict=False, object_pairs_hook=refuse_duplicate_keys, parse_int=SpelledNumber, parse_float=SpelledNumber
)


def read_json_records(stream: IO[bytes], encoding: str, head: bytes) -> Iterator[Found]:
    """Yield the records of a JSON stream: lines, an array, or objects over several lines, told by its start."""
    begin = head.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")[:4096]
    if begin.startswith("[") or re.match(r"\{[ \t]*[\r\n]", begin):
        yield from _records_of_json_values(stream, encoding)
    else:
        yield from _records_of_json_lines(stream, encoding)


def json_record_text(value: Any) -> str:
    """Return a JSON record as text again, every number in the digits that were read; not-finite numbers are null."""
    if isinstance(value, SpelledNumber):
        return str(value) if len(value) <= MOST_DIGITS else _json_record_string(str(value))
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_json_record_string(str(name))}: {json_record_text(child)}" for name, child in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(json_record_text, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return _json_record_string(value)


def _json_record_string(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _records_of_json_lines(stream: IO[bytes], encoding: str) -> Iterator[Found]:
    """Yield the record of each JSON line."""
    for number, data in enumerate(_json_lines_in_utf8(stream, encoding), 1):
        if isinstance(data, MalformedRecord):
            yield data.at(number, "line")
            return
        if data.strip():
            yield _record_of_json_line(number, data)


def _json_lines_in_utf8(stream: IO[bytes], encoding: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the JSON lines in UTF-8, without the byte order mark."""
    first = True
    for data in _raw_json_lines(stream, encoding):
        if isinstance(data, bytes) and first:
            data, first = data.removeprefix(MARK), False
        if isinstance(data, bytes) and OLD_ENDS.search(data):
            yield from data.split(b"\r")
        else:
            yield data


def _raw_json_lines(stream: IO[bytes], encoding: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the lines of a JSON-lines stream, in whatever line ends."""
    if not encoding.startswith("utf-8"):
        yield from _json_lines_recoded(stream, encoding)
        return
    while data := stream.readline(LONGEST):
        if len(data) >= LONGEST:
            yield MalformedRecord(f"is longer than {LONGEST >> 20} MB", "Put one row on each line.", is_end=True)
            return
        yield data


def _json_lines_recoded(stream: IO[bytes], encoding: str) -> Iterator[bytes | MalformedRecord]:
    """Yield the lines of a file of JSON records in UTF-16 or UTF-32 as UTF-8."""
    text = io.TextIOWrapper(cast("Any", stream), encoding=encoding, newline="\n")
    try:
        while line := text.readline(LONGEST):
            yield line.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        yield MalformedRecord(f"is not {encoding.upper()} ({error.reason})", "Write the file as UTF-8.", is_end=True)
    finally:
        text.detach()


def _record_of_json_line(number: int, data: bytes) -> Found:
    """Return the record of one JSON line, or why it is malformed."""
    try:
        value = DECODER.decode(data.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        if CONTROL.search(data):
            return MalformedRecord("is binary", OBJECT_PER_LINE, number=number)
        problem = f"is not UTF-8 (byte {error.start})"
        return MalformedRecord(problem, "Write the file as UTF-8.", number=number)
    except RecursionError:
        return MalformedRecord("is nested too deep", OBJECT_PER_LINE, number=number)
    except ValueError as error:
        return _malformed_json_line(number, data, error)
    return _record_of_json_object(number, "line", value, len(data))


def _malformed_json_line(number: int, data: bytes, error: ValueError) -> MalformedRecord:
    """Return why a JSON line is malformed: binary, cut off, or not JSON."""
    if CONTROL.search(data):
        return MalformedRecord("is binary", OBJECT_PER_LINE, number=number)
    if not data.endswith((b"\n", b"\r")) and not data.rstrip().endswith(b"}"):
        remedy = f"If it may go: head -n {number - 1} FILE > WHOLE" if number > 1 else OBJECT_PER_LINE
        return MalformedRecord(f"the last line is cut off ({error})", remedy, number=number)
    return MalformedRecord(f"is not JSON ({error})", OBJECT_PER_LINE, number=number)


def _record_of_json_object(number: int, noun: str, value: object, size: int) -> Found:
    """Return the record of a JSON value; malformed where it is no object."""
    if isinstance(value, dict):
        return Record(number, noun, value, size)
    kind = "number" if isinstance(value, SpelledNumber) else type(value).__name__
    return MalformedRecord(
        f"is a {kind}, not an object", 'Write {"question": …, "answer": …}.', number=number, noun=noun
    )


def _records_of_json_values(stream: IO[bytes], encoding: str) -> Iterator[Found]:
    """Yield the records of a JSON array, or of objects one after the other."""
    text = io.TextIOWrapper(cast("Any", stream), encoding=encoding, newline="")
    found = JsonStream(text, DECODER, LONGEST)
    number = 0
    try:
        for number, (value, size) in enumerate(found, 1):
            yield _record_of_json_object(number, "row", value, size)
    except JsonStreamError as error:
        remedy = "The file must be one JSON array of objects."
        yield MalformedRecord(f"{error}", remedy, number=number + 1, noun="row", is_end=True)
    finally:
        text.detach()
