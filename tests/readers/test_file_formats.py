"""Files as people have them: the same rows, whatever holds them; and what is said about damaged ones."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.readers import file_formats, json_stream
from tvo_cli.readers.json_records import json_record_text
from tvo_cli.readers.numbers_as_spelled import SpelledNumber
from tvo_cli.readers.record import MalformedRecord, Record

ROWS = [{"question": f"Wie viel, „{n}“ + é\u2028?", "answer": str(n), "note": "a\nb, c;d"} for n in range(3)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
ARRAY = json.dumps(ROWS, ensure_ascii=False)
CSV = "question,answer,note\r\n" + "".join(f'"{r["question"]}",{r["answer"]},"{r["note"]}"\r\n' for r in ROWS)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    parquet_of = pytest.importorskip("pyarrow.parquet")

    sink = io.BytesIO()
    parquet_of.write_table(pyarrow.Table.from_pylist(rows), sink)
    return sink.getvalue()


SAME: dict[str, Callable[[], bytes]] = {
    "a.jsonl": lambda: LINES.encode(),
    "crlf.jsonl": lambda: LINES.replace("\n", "\r\n").encode(),
    "cr.jsonl": lambda: LINES.replace("\n", "\r").encode(),
    "cut.jsonl": lambda: LINES.rstrip("\n").encode(),
    "bom.jsonl": lambda: LINES.encode("utf-8-sig"),
    "utf16.jsonl": lambda: LINES.encode("utf-16"),
    "utf16be.jsonl": lambda: b"\xfe\xff" + LINES.encode("utf-16-be"),
    "utf16-unmarked.jsonl": lambda: LINES.encode("utf-16-le"),
    "utf32.jsonl": lambda: LINES.encode("utf-32"),
    "a.jsonl.gz": lambda: gzip.compress(LINES.encode(), mtime=0),
    "wrong-name.jsonl": lambda: gzip.compress(LINES.encode("utf-16"), mtime=0),
    "twice.gz": lambda: gzip.compress(LINES[:30].encode(), mtime=0) + gzip.compress(LINES[30:].encode(), mtime=0),
    "a.json": lambda: ARRAY.encode(),
    "indented.json": lambda: json.dumps(ROWS, indent=2).encode("utf-8-sig"),
    "lines.json": lambda: LINES.encode(),
    "objects.json": lambda: "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    "a.json.gz": lambda: gzip.compress(ARRAY.encode("utf-16"), mtime=0),
    "a.csv": lambda: CSV.encode(),
    "excel.csv": lambda: (
        CSV.replace('",', '";')
        .replace("question,answer,note", "question;answer;note")
        .replace(',"a\nb', ';"a\nb')
        .encode("utf-8-sig")
    ),
    "utf16.csv": lambda: CSV.encode("utf-16"),
    "a.tsv": lambda: (
        CSV.replace('",', '"\t')
        .replace("question,answer,note", "question\tanswer\tnote")
        .replace(',"a\nb', '\t"a\nb')
        .encode()
    ),
    "a.csv.gz": lambda: gzip.compress(CSV.encode(), mtime=0),
    "a.parquet": lambda: parquet(ROWS),
    "parquet.jsonl": lambda: parquet(ROWS),
}


def read(data: bytes, name: str, folder: Path) -> list[Record | MalformedRecord]:
    path = folder / name
    path.write_bytes(data)
    return list(file_formats.read_records(path))


@pytest.mark.parametrize("name", SAME)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    found = read(SAME[name](), name, tmp_path)
    assert [record.fields for record in found if isinstance(record, Record)] == ROWS


def numbered(data: bytes, name: str, folder: Path) -> list[str]:
    return [
        found.sentence if isinstance(found, MalformedRecord) else f"{found.noun} {found.number}"
        for found in read(data, name, folder)
    ]


TWICE = "line 3 is not JSON (the key 'a' stands twice)"
DAMAGED = [
    (b'{"a": 1}\n\n{"a": 1, "a": 2}\n{"b": 1}\n', "x.jsonl", ["line 1", TWICE, "line 4"]),
    (b'[{"a": 1}, 7, {"b": {}}]', "x.json", ["row 1", "row 2 is a number, not an object", "row 3"]),
    (b'[{"a": 1}, {"a": 2', "x.json", ["row 1", "row 2 is not JSON (Expecting ',' delimiter)"]),
    (b'[{"a": 1}', "x.json", ["row 1", "row 2 is missing: the array is cut off"]),
    (b'[{"a": 1} {"a": 2}]', "x.json", ["row 1", "row 2 is not JSON (a comma was expected, not '{')"]),
    (b'[{"a": 1, "a": 1}]', "x.json", ["row 1 is not JSON (the key 'a' stands twice)"]),
    (b'[{"a": 1}]x', "x.json", ["row 1", "row 2 stands behind the end of the array"]),
    (b"[" * 100_000, "x.json", ["row 1 is nested too deep"]),
    (b'[{"a": "\xff"}]', "x.json", ["row 1 is not UTF-8 (invalid start byte)"]),
    (b"a,b\n1,2,3\n4,5\n", "x.csv", ["line 2 has 3 fields, the first line names 2", "line 3"]),
    (b'a,b\n1,"2\n', "x.csv", ["line 2 is not CSV (unexpected end of data)"]),
    (b'a,b\n"x"y,1\n2,3\n', "x.csv", ["line 2 is not CSV (',' expected after '\"')", "line 3"]),
    (b"a\ncaf\xe9\n", "x.csv", ["line 2 is not UTF-8"]),
    (b"a\ncaf\xe9\n1\n", "x.csv", ["line 2 is not UTF-8", "line 3"]),
    (b"\xff\xfe{\x00}", "x.jsonl", ["line 1 is not UTF-16 (truncated data)"]),
    (b"", "x.jsonl", []),
    (b"\n \n", "x.jsonl", []),
    (b"[]", "x.json", []),
    (b"", "x.csv", []),
    (b"\n\n", "x.csv", []),
    (b"\na,b\n1,2\n", "x.csv", ["line 3"]),
    (gzip.compress(b"", mtime=0), "x.jsonl.gz", []),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name", "said"), DAMAGED)
def test_a_row_that_cannot_be_read_stands_in_its_place(data: bytes, name: str, said: list[str], tmp_path: Path) -> None:
    assert numbered(data, name, tmp_path) == said


UNREADABLE = [
    (gzip.compress(LINES.encode() * 99, mtime=0)[:-20], "cannot be unpacked"),
    (b"PK\x03\x04....", "compressed by zip"),
    (b"\xfd7zXZ\x00", "compressed by xz"),
    (b"PAR1 nonsense", "cannot be read as Parquet"),
    (gzip.compress(b"PAR1 nonsense", mtime=0), "cannot be read from a pipe or out of gzip"),
]


@pytest.mark.parametrize(("data", "said"), UNREADABLE)
def test_a_file_that_cannot_be_read_says_why(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedRecord, match=said):
        read(data, "x.jsonl", tmp_path)


@pytest.mark.parametrize(
    ("end", "torn"),
    [("12", True), ("12\n", False), ("12\r\n", False), ('"12"', False), ("", False), ('"1\n2', None)],
)
def test_a_last_cell_that_may_be_torn_is_said(end: str, torn: bool | None, tmp_path: Path) -> None:
    """An answer 1234 that was cut to 12 is no fault of CSV; pandas reads it as 12 without a word."""
    *_, first, last = read(f"question,answer\nx,1\ny,{end}".encode(), "x.csv", tmp_path)
    assert isinstance(first, Record) and not first.note
    assert (last.note if isinstance(last, Record) else None) == (
        None if torn is None else "the last line has no line end: if the file was cut off, so is its answer '12'" * torn
    )


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(MalformedRecord, match="two columns 'a'"):
        read(b"a,a\n1,2\n", "x.csv", tmp_path)


@pytest.mark.parametrize(
    ("data", "fields", "said"),
    [
        (b",a,b\n0,1,2\n1,3,4\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}], ["(line 2 has '0' there)", ""]),
        (b"a;b;;\n1;2;;\n3;4;;x\n5;6;;y\n", None, ["", "(line 3 has 'x' there)", ""]),
        (b"a;b;;\n1;2;;\n", [{"a": "1", "b": "2"}], [""]),
        (b';;\n" a ";b;\n1;2;', [{"a": "1", "b": "2"}], ["left off: ' a '"]),
    ],
    ids=["pandas' index", "values without a name", "Excel's empty columns", "spaces"],
)  # fmt: skip
def test_columns_without_a_name_are_not_read_and_that_is_said_once(
    data: bytes, fields: list[dict[str, str]] | None, said: list[str], tmp_path: Path
) -> None:
    found = [one for one in read(data, "x.csv", tmp_path) if isinstance(one, Record)]
    assert fields is None or [one.fields for one in found] == fields
    assert len(found) == len(said)
    assert all((one.note.endswith(told) if told else not one.note) for one, told in zip(found, said, strict=True))


def test_two_columns_that_differ_by_spaces(tmp_path: Path) -> None:
    with pytest.raises(MalformedRecord, match="two columns 'a'"):
        read(b"a,a ,,\n1,2,,\n", "x.csv", tmp_path)


def test_numbers_keep_their_digits_and_are_written_back(tmp_path: Path) -> None:
    line = '{"a": [0.10, 1e-5, -0.0], "b": ' + "9" * 4000 + ', "c": {"d": true, "e": null}}'
    (found,) = read(line.encode(), "x.jsonl", tmp_path)
    assert isinstance(found, Record) and found.fields["a"][0] == "0.10"
    assert isinstance(found.fields["b"], SpelledNumber)
    assert json_record_text(found.fields) == line


@pytest.mark.parametrize("block", [1, 2, 7, 64])
def test_an_array_is_read_in_blocks_of_any_size(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "BLOCK", block)
    numbers = json.dumps([{"n": 12345}, {"n": 6}])
    assert [f.fields for f in read(ARRAY.encode(), "a.json", tmp_path) if isinstance(f, Record)] == ROWS
    assert [f.fields for f in read(numbers.encode(), "b.json", tmp_path) if isinstance(f, Record)] == json.loads(
        numbers, parse_int=str
    )


def test_a_pipe_gives_its_rows_as_they_come() -> None:
    """The second row is written only after the first was read: nothing waits for the end of the pipe."""
    reading, writing = os.pipe()
    seen = threading.Event()

    def feed() -> None:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            sink.write(b'{"n": "first"}\n')
            if seen.wait(30):
                sink.write(b'{"n": "second"}\n')

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(reading, "rb") as stream:
        found = file_formats.read_record_stream(stream)
        rows = [next(found)]
        seen.set()
        rows += list(found)
    feeder.join()
    assert [row.fields["n"] for row in rows if isinstance(row, Record)] == ["first", "second"]


def test_a_packed_pipe() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as sink:
        sink.write(gzip.compress(LINES.encode(), mtime=0))
    with os.fdopen(reading, "rb") as stream:
        assert [row.fields for row in file_formats.read_record_stream(stream) if isinstance(row, Record)] == ROWS


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.readers.json_records.LONGEST", 1000)
    assert numbered(b'{"a": 1}\n{"a": "' + b"x" * 5000 + b'"}\n', "x.jsonl", tmp_path)[1].startswith(
        "line 2 is longer than"
    )
