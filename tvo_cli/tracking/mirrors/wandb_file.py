"""The .wandb file of a run: which rows reached it. The format is LevelDB's log behind wandb's header."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tvo_cli.tracking.mirrors.mirror import MirrorRowKey, mirrored_row_keys

HEADER = b":W&B\xe1\xbe\x00"  # name, magic number, version
BLOCK = 32768  # a chunk does not cross the end of a block
CHUNK = struct.Struct("<IHB")  # crc32 of type and data, length of the data, type
FULL, LAST = 1, 4  # types that end a record; those that do not are 2, first, and 3, middle


def rows_in_wandb_file(path: Path) -> set[MirrorRowKey]:
    """Return the rows of metrics that a .wandb file holds."""
    from wandb.proto import wandb_internal_pb2 as messages

    found: set[MirrorRowKey] = set()
    for data in wandb_records(path.read_bytes()):
        record = messages.Record.FromString(data)  # type: ignore[attr-defined]
        if record.WhichOneof("record_type") == "history":
            names = (item.key or "/".join(item.nested_key) for item in record.history.item)
            found |= mirrored_row_keys(record.history.step.num, (name for name in names if not name.startswith("_")))
    return found


def wandb_records(content: bytes) -> Iterator[bytes]:
    """Yield the whole records of a .wandb file; one that a kill has torn ends it, as for `wandb sync`.

    Raises:
        ValueError: it is no .wandb file of the version that is known here.
    """
    if content[: len(HEADER)] != HEADER[: len(content)]:
        raise ValueError("not a .wandb file of version 0")
    record = b""
    for kind, data in _wandb_chunks(content):
        record += data
        if kind in (FULL, LAST):
            yield record
            record = b""


def _wandb_chunks(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(HEADER)
    while at + CHUNK.size <= len(content):
        left = BLOCK - at % BLOCK
        if left < CHUNK.size:  # too little for the head of a chunk: padding
            at += left
            continue
        crc, length, kind = CHUNK.unpack_from(content, at)
        data = content[at + CHUNK.size : at + CHUNK.size + length]
        if len(data) < length or zlib.crc32(bytes([kind]) + data) != crc:
            return
        yield kind, data
        at += CHUNK.size + length
