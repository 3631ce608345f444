"""`tvo grade` under fire: hostile rows, bombs, interruption, pipes, large files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.grading import GOLD, Grade, row
from tests.processes import are_gone, is_running
from tests.reward.conftest import BOMB
from tvo_cli.reward import rows_to_grade

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "tower": r"\boxed{\sqrt{9^{9^{9^{9^9}}}}}",
    "factorials": r"\boxed{\sqrt{((((9!)!)!)!)!}}",
    "megabyte": "1" * 1_000_000,
    "megabyte in a box": r"\boxed{" + "1" * 1_000_000 + "}",
    "braces": r"\boxed{" + "{" * 10_000 + "}" * 10_000 + "}",
    "NUL": "\\boxed{2\\sqrt{3}\x00}",
    "open box": r"\boxed{2\sqrt{3}",
    "boxes": r"\boxed{" * 5_000,
    "python": r"\boxed{__import__('os').system('touch ran')}",
    "lambda": r"\boxed{(lambda: open('ran','w'))()}",
    "surrogate": "\\boxed{\ud800}",
    "direction": "\\boxed{\u202e3}\u202c",
    "fullwidth": "\\boxed{２√３}",
    "zero width": "\\boxed{2\\sqrt{3}\u200b, 1}",
    "escapes": "\x1b[2J\\boxed{4}",
}


@pytest.mark.slow
def test_hostile_rows_harm_nobody(grade: Grade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    right = row(r"so \boxed{\sqrt{12}}", GOLD, id="right")
    given = [one for name, text in HOSTILE.items() for one in (row(text, GOLD, id=name), right)]
    done = grade(given, "--deadline", "0.3", "--workers", "2")
    assert done.code == 0 and [r["id"] for r in done.rows] == [r["id"] for r in given]
    full_width = [name == "fullwidth" for name in HOSTILE]  # it is 2√3, oddly spelled
    assert [r["correct"] for r in done.rows] == [correct for odd in full_width for correct in (odd, True)]
    assert [r["prediction"] for r in done.rows] == [r["prediction"] for r in given]
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_bombs_fail_and_their_neighbours_do_not(grade: Grade) -> None:
    bombs, each = 2, 0.3
    given = [one for i in range(bombs) for one in (row(BOMB, GOLD, id=i), row(r"\boxed{\sqrt{12}}", GOLD))]
    done = grade(given, "--deadline", str(each), "--workers", "2")
    assert [r["correct"] for r in done.rows] == [False, True] * bombs
    assert {r["reason"] for r in done.rows[::2]} <= {"timeout", "memory"}
    assert f"the grader failed on {bombs} rows" in done.said


def command(*words: str, **more: Any) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tvo_cli", "grade", *words]
    return subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, **more
    )


def test_standard_input_and_output_as_bytes() -> None:
    process = command("-")
    out, said = process.communicate(json.dumps(row(r"\boxed{5}", id="é")).encode() + b"\n{bad")
    assert process.returncode == 2 and b"standard input, line=2: the last line is cut off" in said
    out, said = command("-").communicate('{"gold": "5", "prediction": "\\\\boxed{5}", "id": "é"}'.encode())
    assert json.loads(out)["id"] == "é" and "é" in out.decode() and b"1 rows, 1 right" in said


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    process = command("-")
    assert process.stdout and process.stdin
    process.stdout.close()
    process.stdin.write((json.dumps(row(r"\boxed{5}")).encode() + b"\n") * 2000)
    process.stdin.close()
    assert process.wait(20) == 0


def children(pid: int) -> tuple[int, ...]:
    tasks = Path(f"/proc/{pid}/task")
    return tuple(int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -9),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129))
        ),
    ],
)
def test_no_orphans_and_nothing_half_written(number: signal.Signals, code: int, tmp_path: Path) -> None:
    given, out = tmp_path / "bombs.jsonl", tmp_path / "graded.jsonl"
    given.write_text("".join(json.dumps(row(BOMB.replace("9", str(digit)), GOLD)) + "\n" for digit in (9, 8, 7, 6)))
    process = command(str(given), "--out", str(out), "--deadline", "60", "--workers", "2", start_new_session=True)
    until = time.monotonic() + 60
    while len(children(process.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)
    pids = children(process.pid)
    assert len(pids) == 2 and all(map(is_running, pids))
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == code and are_gone(pids)
    left = {path.name for path in tmp_path.iterdir()}
    drafts = {name for name in left if name.startswith("graded.jsonl.") and name.endswith(".partial")}
    assert left - drafts == {"bombs.jsonl"}
    assert number == signal.SIGKILL or not drafts


def test_rows_are_read_and_written_a_chunk_at_a_time() -> None:
    """Nothing waits for the end of the stream: the first rows come out while later ones are not yet written."""
    process = command("-")
    assert process.stdin and process.stdout
    process.stdin.write((json.dumps(row(r"\boxed{5}")).encode() + b"\n") * (rows_to_grade.ROWS_AT_ONCE + 1))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["correct"] is True
    process.communicate()


def test_chunks_are_bounded_in_rows_and_bytes() -> None:
    def endless(size: int) -> Iterator[rows_to_grade.RowToGrade]:
        line = 0
        while True:
            line += 1
            yield rows_to_grade.RowToGrade(line, {}, "1", "2", size)

    assert len(next(rows_to_grade.chunks_of_rows_to_grade(endless(1)))) == rows_to_grade.ROWS_AT_ONCE
    assert len(next(rows_to_grade.chunks_of_rows_to_grade(endless(rows_to_grade.BYTES_AT_ONCE // 4)))) == 4


def test_it_starts_quickly_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(r"\boxed{5}")) + "\n")
    program = f"""
import sys
from tvo_cli.cli.main import main
code = main(["grade", {str(path)!r}])
heavy = ("torch", "hydra", "omegaconf", "numpy", "sympy", "rich")
print(code, [name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "0 []"
