"""Damaged files end in rows or in a Malformed, whatever their bytes."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from contextlib import suppress

from tvo_cli.readers import file_formats
from tvo_cli.readers.conversations import question_of
from tvo_cli.readers.golds import gold_of
from tvo_cli.readers.json_records import json_record_text
from tvo_cli.readers.record import MalformedRecord

WHOLE = (
    b'{"question": "q", "answer": [1, "2", 1e-5, true, null, {"a": NaN}]}\n{"prompt": [{"content": "x\\ud83d"}]}\r\n',
    b'[{"a": 1}, {"b": [2, 3]}]',
    b'a,b\n"1",2\n3,4\n',
    gzip.compress(b'{"a": 1}\n' * 9, mtime=0),
    '{"a": "é"}\n'.encode("utf-16"),
    b'{\n "a": 1\n}\n{"b": 2}',
    b"PAR1xxPAR1",
)
PIECES = (b'"', b"{", b"[", b"\n", b"\r", b"\x00", b"\\", b",", b"\xff\xfe", b"1" * 5000)


def damaged(rng: random.Random) -> bytes:
    data = bytearray(rng.choice(WHOLE))
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(data) + 1)
        change = rng.randrange(4)
        if change == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif change == 1:
            del data[at : at + rng.randint(1, 9)]
        elif change == 2:
            data[at:at] = rng.choice(PIECES)
        else:
            del data[at:]
    return bytes(data)


def tried(read: Callable[[object], object], value: object) -> None:
    with suppress(MalformedRecord):
        read(value)


def test_no_damage_raises_anything_else() -> None:
    rng, rows = random.Random(1), 0
    for _ in range(3000):
        name = rng.choice(["x.jsonl", "x.csv", "x.json", "x.tsv", ""])
        try:
            found = [
                row
                for row in file_formats.read_record_stream(io.BytesIO(damaged(rng)), name)
                if not isinstance(row, MalformedRecord)
            ]
        except MalformedRecord:
            continue
        rows += len(found)
        for row in found:
            json_record_text(row.fields)
            for value in row.fields.values():
                tried(gold_of, value)
                tried(question_of, value)
    assert rows > 1000
