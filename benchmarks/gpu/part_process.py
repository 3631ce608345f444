"""A part of the benchmark as a process of its own: what it printed, how it ended, and never longer than its time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Literal

from benchmarks.harness.child_process import ROOT, surroundings
from benchmarks.harness.collection import say
from benchmarks.harness.record import Fields, Kind, Row, text

Status = Literal["measured", "in part", "not installed", "out of memory", "timed out", "failed"]
STATUS: Fields = {
    "status": text("measured | in part (fewer steps) | not installed | out of memory | timed out | failed"),
    "detail": text("why it is not measured, or what is not installed"),
}
EMPTY: dict[Kind, Any] = {"text": "", "texts": [], "flag": False, "number": None, "numbers": [], "by_name": {}}
MEMORY = ("OutOfMemoryError", "CUDA out of memory", "DefaultCPUAllocator: can't allocate memory", "MemoryError")
KILLED = -signal.SIGKILL  # not by us: of a process out of memory by the system


@dataclass(frozen=True)
class Ended:
    """A process that is over."""

    lines: list[dict[str, Any]]  # the JSON objects that it printed
    code: int | None  # None: it was ended at its time
    errors: str  # the end of its stderr
    seconds: float  # it was given

    @property
    def status(self) -> Status:
        """In a word."""
        if self.code == 0 and self.lines:
            return "measured"
        if self.code is None:
            return "timed out"
        return "out of memory" if self.code == KILLED or any(word in self.errors for word in MEMORY) else "failed"

    @property
    def detail(self) -> str:
        """Why it is not measured."""
        if self.status == "measured":
            return ""
        if self.code is None:
            return f"ended after {self.seconds:.0f} s"
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit code {self.code} without a word"

    @property
    def outcome(self) -> dict[str, str]:
        """Status and detail, as fields of a row."""
        return {"status": self.status, "detail": self.detail}


def empty_row(fields: Fields, key: Row) -> Row:
    """The other fields of a row without a measurement."""
    return {name: EMPTY[field.kind] for name, field in fields.items() if name not in key}


def run(module: str, words: Sequence[str], seconds: float, python: str = sys.executable) -> Ended:
    """Run a module of this checkout; all of its processes are gone afterwards, also where this one is stopped."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [python, "-m", module, *words],
            stdout=out, stderr=errors, env=surroundings(python), cwd=ROOT, process_group=0,
        )  # fmt: skip
        try:
            code: int | None = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        ended = Ended(_objects(_end_of(out, 2**24)), code, _end_of(errors, 2**14), seconds)
    if ended.status != "measured":
        say("\n".join(ended.errors.splitlines()[-15:]))
    return ended


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, which holds the GPU's memory as long as one of it lives."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_of(file: IO[bytes], size: int) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - size))
    return file.read().decode(errors="replace")


def _objects(printed: str) -> list[dict[str, Any]]:
    """Lines that are JSON objects; a library's own words and a line cut off are none."""
    return [found for line in printed.splitlines() if (found := _parsed(line)) is not None]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line, parse_constant=lambda word: None)  # not a number is not measured
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
