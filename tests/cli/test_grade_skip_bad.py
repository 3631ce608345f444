"""`tvo grade --skip-bad`: rows that cannot be read are left out, counted and named; the others are graded."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.reward import rows_to_grade

GOOD = json.dumps({"gold": 5, "prediction": r"\boxed{5}"})
LINES = f'{GOOD}\n{{"gold": null, "prediction": "1"}}\nno JSON\n{GOOD}\n{{"gold": 1'.encode()
ARRAY = f'[{GOOD}, 7, {{"gold": [[1], [2]], "prediction": "1"}}, {GOOD}, {{"gold"]'.encode()
TABLE = b'gold,prediction\n5,\\boxed{5}\n"5"5,1\n5,1,2\n,1\n5,\\boxed{5}\n'
LEFT = ["line 2:", "line 3:", "line 5:"]
FORMATS = [
    (LINES, "x.jsonl", LEFT),
    (gzip.compress(LINES, mtime=0), "x.jsonl.gz", LEFT),
    (LINES.decode().encode("utf-16"), "x.jsonl", LEFT),
    (ARRAY, "x.json", ["row 2:", "row 3:", "row 5:"]),
    (TABLE, "x.csv", ["line 3:", "line 4:", "line 5:"]),
]


class Pipe(io.BytesIO):
    """What cannot be read twice."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(("data", "name", "left"), FORMATS)
def test_every_format(
    data: bytes,
    name: str,
    left: list[str],
    piped: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    if piped and not name.endswith(".csv"):  # a table is told by the name of its file
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(data)))
        path = Path("-")
    assert main(["grade", str(path), "--skip-bad"]) == 0
    out, said = capsys.readouterr()
    assert [json.loads(line)["correct"] for line in out.splitlines()] == [True, True]
    named = [line for line in said.splitlines() if line.startswith("left out: ")]
    assert [place in line for place, line in zip(left, named, strict=True)] == [True, True, True]
    assert "rows left out, since they cannot be read: 3" in said
    assert ("what stands behind it cannot be read" in named[-1]) == (name == "x.json")


def test_rows_of_parquet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    parquet.write_table(arrow.table({"gold": ["5", None, "5"], "prediction": [r"\boxed{5}"] * 3}), path)
    assert main(["grade", str(path), "--skip-bad"]) == 0
    out, said = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "row 2: its gold is null" in said and "cannot be read: 1" in said


def test_a_gold_that_the_profile_cannot_judge_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f'{GOOD}\n{{"gold": "x+1", "prediction": "1"}}\n')
    assert main(["grade", str(path), "--profile", "aime", "--skip-bad"]) == 0
    assert "line 2: its gold (x+1)" in capsys.readouterr().err


def test_without_the_flag_the_first_bad_row_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(LINES)
    assert main(["grade", str(path)]) == 2
    out, said = capsys.readouterr()
    assert not out and "line=2: its gold is null" in said


def test_nothing_left_out_is_not_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(GOOD + "\n")
    assert main(["grade", str(path), "--skip-bad"]) == 0
    assert "left out" not in capsys.readouterr().err


def test_a_file_that_is_none_is_refused_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"PK\x03\x04....")
    assert main(["grade", str(path), "--skip-bad"]) == 2
    assert "compressed by zip" in capsys.readouterr().err


def test_each_gives_an_error_in_the_place_of_a_bad_row() -> None:
    found = list(rows_to_grade.rows_and_errors(io.BytesIO(LINES), rows_to_grade.RowSource("x.jsonl")))
    assert [type(one) for one in found] == [
        rows_to_grade.RowToGrade,
        UserError,
        UserError,
        rows_to_grade.RowToGrade,
        UserError,
    ]
    assert [one.value for one in found if isinstance(one, UserError)] == [2, 3, 5]
