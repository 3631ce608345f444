"""Seconds until a command answers, and what it imports to do so.

    python -m benchmarks.startup [--peer-python PATH]     # PATH: an interpreter that has TRL, for its imports

Each line is a fresh process, pinned to a core, several times; the least time counts, as everything else only adds.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import ONE_THREAD, ROOT, pinned
from benchmarks.harness.markdown import median
from benchmarks.harness.record import Record, Row, numbers, text, texts
from benchmarks.harness.settings import Settings, option

HEAVY = ("torch", "transformers", "datasets", "wandb", "numpy", "math_verify", "hydra")
OURS = {
    "python -c pass": ["-c", "pass"],
    "tvo --help": ["-m", "tvo_cli", "--help"],
    "tvo --version": ["-m", "tvo_cli", "--version"],
    "tvo list algorithms": ["-m", "tvo_cli", "list", "algorithms"],
    "tvo train --cfg job": ["-m", "tvo_cli", "train", "--cfg", "job"],
    "import torch": ["-c", "import torch"],
    "import of all that trains": ["-c", "import tvo_cli.experiment"],
}
TRAINING = ("trainer.steps=1", "evaluation=off", "logger=none", "logger.console=off", "trainer.threads=1")
THEIRS = {"import of TRL's GRPOTrainer": ["-c", "from trl import GRPOTrainer, GRPOConfig"]}
TABLES = {
    "commands": {
        "command": text("what is started"),
        "wall": numbers("time of each process", "s"),
        "cpu": numbers("processor time of each process", "s"),
        "imports": texts("heavy packages that it imports; not looked for where nothing but imports is timed"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    peer_python: str = option("", "an interpreter that has TRL, for its imports")
    repeats: int = option(5, "processes a command, after one that is not counted", gt=0)
    core: str = option("1", "the core that all are pinned to; empty: none")
    only: tuple[str, ...] = option((), "only commands whose name contains one of these")


QUICK = {"repeats": 1, "core": "", "only": ("pass", "tvo --help")}


def seconds(python: str, words: list[str], core: str) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    command = pinned([python, *words], core)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=os.environ | ONE_THREAD, check=False)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode()[-2000:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(words: list[str]) -> list[str]:
    """The heavy packages that a command of ours imports."""
    command = [sys.executable, "-X", "importtime", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    names = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    return [name for name in HEAVY if name in names]


def commands(folder: str, peer: str) -> list[tuple[str, str, list[str]]]:
    """Name, interpreter and words of each line."""
    step = ["-m", "tvo_cli", "train", *TRAINING, f"output_dir={folder}/run", "resume=never"]
    ours = [(name, sys.executable, words) for name, words in (OURS | {"tvo train, one step": step}).items()]
    return ours + ([(name, peer, words) for name, words in THEIRS.items()] if peer else [])


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Command by command."""
    with tempfile.TemporaryDirectory() as folder:
        for name, python, words in commands(folder, settings.peer_python):
            if not settings.only or any(part in name for part in settings.only):
                yield Measurement("commands", {"command": name}, partial(_times, settings, python, words))


def _times(settings: Chosen, python: str, words: list[str]) -> Row:
    seconds(python, words, settings.core)  # pages of the disk come first
    wall, cpu = zip(*(seconds(python, words, settings.core) for _ in range(settings.repeats)), strict=True)
    heavy = imported(words) if words[0] == "-m" and "train" not in words[2:3] else []
    return {"wall": list(wall), "cpu": list(cpu), "imports": heavy}


def table(record: Record) -> str:
    """Least and median time of each command."""
    lines = [
        [row["command"], *(f"{value:.3f}" for value in _times_of(row)), ", ".join(row["imports"])]
        for row in record.rows("commands")
    ]
    return markdown.table(["", "wall s, least", "wall s, median", "CPU s, least", "heavy imports"], lines)


def _times_of(row: Row) -> tuple[float, float, float]:
    return min(row["wall"]), median(row["wall"]), min(row["cpu"])


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()
