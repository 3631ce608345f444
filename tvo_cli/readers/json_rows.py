"""Objects of JSON: one on a line, or one after the other in an array. Numbers keep their digits."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterator
from typing import IO, Any, cast

from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.json_stream import Ended, JsonStream
from tvo_cli.readers.numbers import Number
from tvo_cli.readers.record import Found, Record

LONGEST = 64 << 20  # bytes: what holds no line ends is not JSON lines
MOST_DIGITS = 4300  # of an integer that Python's json reads; a longer one is written as a text
MARK = b"\xef\xbb\xbf"
OLD_ENDS = re.compile(rb"\}[ \t]*\r[ \t\r]*\{")  # lines that end in CR alone
OBJECT_PER_LINE = "Every line must be one JSON object in UTF-8."


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, none of whose keys is given twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return fields


DECODER = json.JSONDecoder(strict=False, object_pairs_hook=once, parse_int=Number, parse_float=Number)


def read(stream: IO[bytes], encoding: str, head: bytes) -> Iterator[Found]:
    """The objects of the stream. An array, or objects over several lines, are told by how they begin."""
    begin = head.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")[:4096]
    if begin.startswith("[") or re.match(r"\{[ \t]*[\r\n]", begin):
        yield from _values(stream, encoding)
    else:
        yield from _lines(stream, encoding)


def written(value: Any) -> str:
    """As JSON again, every number in the digits that were read; what is not a number is null."""
    if isinstance(value, Number):
        return str(value) if len(value) <= MOST_DIGITS else _quoted(str(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(str(name))}: {written(child)}" for name, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return _quoted(value)


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _lines(stream: IO[bytes], encoding: str) -> Iterator[Found]:
    for number, data in enumerate(_pieces(stream, encoding), 1):
        if isinstance(data, Malformed):
            yield data.at(number, "line")
            return
        if data.strip():
            yield _row(number, data)


def _pieces(stream: IO[bytes], encoding: str) -> Iterator[bytes | Malformed]:
    """The lines in UTF-8, without the mark at the start."""
    first = True
    for data in _raw(stream, encoding):
        if isinstance(data, bytes) and first:
            data, first = data.removeprefix(MARK), False
        if isinstance(data, bytes) and OLD_ENDS.search(data):
            yield from data.split(b"\r")
        else:
            yield data


def _raw(stream: IO[bytes], encoding: str) -> Iterator[bytes | Malformed]:
    if not encoding.startswith("utf-8"):
        yield from _recoded(stream, encoding)
        return
    while data := stream.readline(LONGEST):
        if len(data) >= LONGEST:
            yield Malformed(f"is longer than {LONGEST >> 20} MB", "Put one row on each line.", is_end=True)
            return
        yield data


def _recoded(stream: IO[bytes], encoding: str) -> Iterator[bytes | Malformed]:
    text = io.TextIOWrapper(cast("Any", stream), encoding=encoding, newline="\n")
    try:
        while line := text.readline(LONGEST):
            yield line.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        yield Malformed(f"is not {encoding.upper()} ({error.reason})", "Write the file as UTF-8.", is_end=True)
    finally:
        text.detach()


def _row(number: int, data: bytes) -> Found:
    try:
        value = DECODER.decode(data.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 (byte {error.start})"
        return Malformed(problem, "Write the file as UTF-8.", number=number)
    except RecursionError:
        return Malformed("is nested too deep", OBJECT_PER_LINE, number=number)
    except ValueError as error:
        return _not_json(number, data, error)
    return _object(number, "line", value, len(data))


def _not_json(number: int, data: bytes, error: ValueError) -> Malformed:
    if not data.endswith((b"\n", b"\r")) and not data.rstrip().endswith(b"}"):
        remedy = f"If it may go: head -n {number - 1} FILE > WHOLE"
        return Malformed(f"the last line is cut off ({error})", remedy, number=number)
    return Malformed(f"is not JSON ({error})", OBJECT_PER_LINE, number=number)


def _object(number: int, noun: str, value: object, size: int) -> Found:
    if isinstance(value, dict):
        return Record(number, noun, value, size)
    kind = "number" if isinstance(value, Number) else type(value).__name__
    return Malformed(f"is a {kind}, not an object", 'Write {"question": …, "answer": …}.', number=number, noun=noun)


def _values(stream: IO[bytes], encoding: str) -> Iterator[Found]:
    text = io.TextIOWrapper(cast("Any", stream), encoding=encoding, newline="")
    found = JsonStream(text, DECODER, LONGEST)
    number = 0
    try:
        for number, (value, size) in enumerate(found, 1):
            yield _object(number, "row", value, size)
    except Ended as error:
        remedy = "The file must be one JSON array of objects."
        yield Malformed(f"{error}", remedy, number=number + 1, noun="row", is_end=True)
    finally:
        text.detach()
