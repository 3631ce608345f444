"""The rows of a file in the formats that people have, one at a time and each with its number.

JSON lines, a JSON array, CSV (TSV) and Parquet; any but Parquet may be compressed by gzip. Texts are UTF-8, or
UTF-16 and UTF-32 with their mark; lines end in LF, CRLF or CR. A row that cannot be read comes as a Malformed in
its place, so that the caller decides whether it ends the reading; a file that cannot be read raises one.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, cast

from tvo_cli.readers import json_rows, tables
from tvo_cli.readers.bytes_ahead import BytesAhead
from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.record import Found
from tvo_cli.readers.text_encodings import encoding_of

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
OTHERS = {b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "Zstandard"}
TABLES = (".csv", ".tsv")
SNIFFED = 1 << 16  # bytes


def read(path: Path) -> Iterator[Found]:
    """The rows of a file."""
    with path.open("rb") as stream:
        yield from read_stream(stream, path.name)


def read_stream(stream: IO[bytes], name: str = "") -> Iterator[Found]:
    """The rows of a stream; `name` ends as its format does, and "" is told by the content."""
    head = _head(stream)
    _refuse_others(head)
    if head.startswith(PARQUET):
        yield from _columns(stream)
        return
    whole = cast("IO[bytes]", io.BufferedReader(BytesAhead(head, stream), SNIFFED))
    suffix = PurePath(name.lower()).suffix
    if head.startswith(GZIP):
        yield from _unpacked(whole, name.lower().removesuffix(".gz"))
    elif suffix in TABLES:
        yield from tables.csv_rows(whole, encoding_of(head), "\t" if suffix == ".tsv" else None)
    else:
        yield from json_rows.read(whole, encoding_of(head), head)


def _refuse_others(head: bytes) -> None:
    for mark, kind in OTHERS.items():
        if head.startswith(mark):
            raise Malformed(f"is compressed by {kind}.", "Unpack it, or compress it by gzip.")


def _columns(stream: IO[bytes]) -> Iterator[Found]:
    if not stream.seekable() or isinstance(stream, gzip.GzipFile):
        raise Malformed("is Parquet, which cannot be read from a pipe or out of gzip.", "Name the .parquet file.")
    stream.seek(0)
    yield from tables.parquet_rows(stream)


def _unpacked(stream: IO[bytes], name: str) -> Iterator[Found]:
    with _gzip_faults(), gzip.GzipFile(fileobj=stream) as unpacked:
        yield from read_stream(cast("IO[bytes]", unpacked), name)


@contextmanager
def _gzip_faults() -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Malformed(f"cannot be unpacked ({error}).", "It is cut off or damaged: copy it again.") from error


def _head(stream: IO[bytes]) -> bytes:
    """The first bytes: of a file a block; of a pipe, which may give no more for hours, the first line."""
    is_pipe = not isinstance(stream, gzip.GzipFile) and not stream.seekable()
    return stream.readline(json_rows.LONGEST) if is_pipe else stream.read(SNIFFED)
