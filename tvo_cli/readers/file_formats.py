"""Records of a file in any format: JSON lines, a JSON array, CSV, Parquet, gzip; each with its number.

JSON lines, a JSON array, CSV (TSV) and Parquet; any but Parquet may be compressed by gzip. Texts are UTF-8, or
UTF-16 and UTF-32 with their mark; lines end in LF, CRLF or CR. A row that cannot be read comes as a MalformedRecord in
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

from tvo_cli.readers import csv_and_parquet, json_records
from tvo_cli.readers.bytes_ahead import BytesAhead
from tvo_cli.readers.record import Found, MalformedRecord
from tvo_cli.readers.text_encodings import encoding_of

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
OTHERS = {b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "Zstandard"}
TABLES = (".csv", ".tsv")
SNIFFED = 1 << 16  # bytes


def read_records(path: Path) -> Iterator[Found]:
    """Yield the records of a file."""
    with path.open("rb") as stream:
        yield from read_record_stream(stream, path.name)


def read_record_stream(stream: IO[bytes], name: str = "") -> Iterator[Found]:
    """Yield the records of a stream, its format told by the end of `name` or by the content."""
    head = _first_bytes(stream)
    _refuse_compressed_formats(head)
    if head.startswith(PARQUET):
        yield from _parquet_records_of_stream(stream)
        return
    whole = cast("IO[bytes]", io.BufferedReader(BytesAhead(head, stream), SNIFFED))
    suffix = PurePath(name.lower()).suffix
    if head.startswith(GZIP):
        yield from _gunzipped_records(whole, name.lower().removesuffix(".gz"))
    elif suffix in TABLES:
        yield from csv_and_parquet.csv_records(whole, encoding_of(head), "\t" if suffix == ".tsv" else None)
    else:
        yield from json_records.read_json_records(whole, encoding_of(head), head)


def _refuse_compressed_formats(head: bytes) -> None:
    """Refuse zip, xz, bzip2 and Zstandard."""
    for mark, kind in OTHERS.items():
        if head.startswith(mark):
            raise MalformedRecord(f"is compressed by {kind}.", "Unpack it, or compress it by gzip.")


def _parquet_records_of_stream(stream: IO[bytes]) -> Iterator[Found]:
    """Yield the records of a Parquet stream; refuse a pipe."""
    if not stream.seekable() or isinstance(stream, gzip.GzipFile):
        raise MalformedRecord("is Parquet, which cannot be read from a pipe or out of gzip.", "Name the .parquet file.")
    stream.seek(0)
    yield from csv_and_parquet.parquet_records(stream)


def _gunzipped_records(stream: IO[bytes], name: str) -> Iterator[Found]:
    """Yield the records of a gzip file."""
    with _gzip_errors_as_malformed(), gzip.GzipFile(fileobj=stream) as unpacked:
        yield from read_record_stream(cast("IO[bytes]", unpacked), name)


@contextmanager
def _gzip_errors_as_malformed() -> Iterator[None]:
    """Raise a damaged gzip file as MalformedRecord."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MalformedRecord(f"cannot be unpacked ({error}).", "It is cut off or damaged: copy it again.") from error


def _first_bytes(stream: IO[bytes]) -> bytes:
    """Return the first bytes, to detect the format: of a file a block, of a pipe the first line."""
    is_pipe = not isinstance(stream, gzip.GzipFile) and not stream.seekable()
    return stream.readline(json_records.LONGEST) if is_pipe else stream.read(SNIFFED)
