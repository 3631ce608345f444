"""Sweeps of the stand-in program, in an empty working folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import is_running

PROGRAM = Path(__file__).with_name("program.py")
ROOT = PROGRAM.parents[2]
WAIT = 600.0  # the most a test waits for a sweep, which a busy machine makes slow
STARTS = f"hydra.launcher.program=['{sys.executable}','{PROGRAM}']"


class Sweep:
    """`tvo train -m …` of the stand-in, its folder, and what it left there."""

    def __init__(self, place: Path, *, warm: bool = False) -> None:
        self.place, self.folder, self.warm = place, place / "sweep", warm
        self.began: list[subprocess.Popen[str]] = []

    def start(self, *words: str, multirun: bool = True) -> subprocess.Popen[str]:
        """Begin the command."""
        flag = ["-m"] if multirun else []
        line = [sys.executable, str(PROGRAM), "train", *flag, *words, "logger=none", "output_dir=sweep"]
        line += [] if self.warm else [STARTS]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment["JOBS_OF_STAND_IN"] = "warm" if self.warm else "cold"
        began = subprocess.Popen(
            line, cwd=self.place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.began.append(began)
        return began

    def run(self, *words: str, multirun: bool = True) -> tuple[int, str, str]:
        """The command to its end: exit code, what it said, what it complained of."""
        began = self.start(*words, multirun=multirun)
        said, complained = began.communicate(timeout=WAIT)
        return began.returncode, said, complained

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The entries of sweep.json by folder."""
        return {job["folder"]: job for job in json.loads((self.folder / "sweep.json").read_text())["jobs"]}

    def starts(self) -> list[str]:
        """The jobs that were started, in order."""
        place = self.folder / "starts.txt"
        return [line.split()[0] for line in place.read_text().splitlines()] if place.exists() else []

    def pids(self) -> list[int]:
        """Every process that the jobs have named."""
        return [int(word) for file in self.folder.glob("*/pids.txt") for word in file.read_text().split()]


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """A sweep whose processes are gone after the test, whatever it did."""
    yield from _sweep_and_its_end(Sweep(tmp_path))


@pytest.fixture(params=[False, True], ids=["cold", "warm"])
def either_sweep(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sweep]:
    """The same, with jobs that start cold, and with forked ones."""
    yield from _sweep_and_its_end(Sweep(tmp_path, warm=request.param))


def _sweep_and_its_end(made: Sweep) -> Iterator[Sweep]:
    yield made
    for began in made.began:
        if began.poll() is None:
            began.kill()
        began.communicate()
    for pid in made.pids():
        if is_running(pid):
            os.kill(pid, 9)
