"""Parts that answer, fail, run out of memory and hang."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.gpu import part_process


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A module of its own, found through PYTHONPATH as the packages of a carried folder are."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def written(code: str) -> str:
        (tmp_path / "a_part.py").write_text(code, encoding="utf-8")
        return "a_part"

    return written


def test_a_part_tells_by_its_lines(child: Callable[[str], str]) -> None:
    module = child("import sys\nprint('noise')\nprint('{\"a\": 1}')\nprint(2)\nprint('{\"b\": ' + sys.argv[1] + '}')")
    found = part_process.run(module, ["3"], 60.0)
    assert found.lines == [{"a": 1}, {"b": 3}] and found.outcome == {"status": "measured", "detail": ""}


@pytest.mark.parametrize(
    ("ends", "status", "detail"),
    [
        ("raise ValueError('no such thing')", "failed", "ValueError: no such thing"),
        (
            "class OutOfMemoryError(Exception): ...\nraise OutOfMemoryError('9 GiB')",
            "out of memory",
            "9 GiB",
        ),
        ("import os; os.kill(os.getpid(), 9)", "out of memory", "exit code -9"),
        ("raise SystemExit(3)", "failed", "exit code 3 without a word"),
        ("", "failed", "exit code 0 without a word"),
    ],
)
def test_how_a_part_ended(child: Callable[[str], str], ends: str, status: str, detail: str) -> None:
    found = part_process.run(child(ends), [], 60.0)
    assert found.status == status and detail in found.detail and found.lines == []


@pytest.mark.slow
def test_a_part_that_hangs_is_ended_with_all_it_started(child: Callable[[str], str], tmp_path: Path) -> None:
    """The part's own child holds the other end of a pipe, which closes when the last process of the group is gone."""
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    module = child(
        "import subprocess, sys, time\n"
        "alive = open(sys.argv[1], 'w')\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], stdout=alive)\n"
        "time.sleep(600)\n"
    )
    found = part_process.run(module, [str(pipe)], 1.0)
    assert found.outcome == {"status": "timed out", "detail": "ended after 1 s"} and found.code is None
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b"", "nobody holds the pipe any more"
    os.close(reader)


def test_what_is_not_a_number_is_not_measured(child: Callable[[str], str]) -> None:
    """JSON has no word for it, and a record with one could not be written."""
    assert part_process.run(child('print(\'{"a": NaN, "b": [Infinity, 1.0]}\')'), [], 60.0).lines == [
        {"a": None, "b": [None, 1.0]}
    ]
