"""What the gradient-variance reading costs of a step: the same training with the reading on and off, step by step.

    python -m benchmarks.variance_reading --work w1

The micro-batches stay; only the reading goes, in every other step of the same process, so that both see the same
machine. `inside` is the time spent in the reading's own code. Memory is the peak of a process with and one without it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.harness import child_process, markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.markdown import median, spread
from benchmarks.harness.record import Record, Row, number, numbers, text
from benchmarks.harness.settings import Clock, Settings, option
from benchmarks.workload.work import WORKS, build

MODES = ("alternate", "on", "off")
TABLES = {
    "processes": {
        "turn": number("which turn of the modes", "1"),
        "mode": text("the reading: on, off, or in every other step"),
        "on": numbers("each step: with the reading", "1 or 0"),
        "step": numbers("each step: a rollout with all its updates", "s"),
        "update": numbers("of that: forward, backward, clipping and optimiser", "s"),
        "inside": numbers("of that: the reading's own code", "s"),
        "peak_mb": number("memory of the process at most", "MiB"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    work: Literal["tiny", "w1", "w1skew", "w1x2", "w2", "w2x2"] = option("w1", "the fixed work, see workload/work.py")
    steps: int = option(20, "measured steps a process", ge=2)
    repeats: int = option(3, "turns", gt=0)
    core: str = option("1", "the core it is pinned to; empty: none")
    clock: Clock = option("wall", "cpu where the machine is shared")


QUICK = {"work": "tiny", "steps": 2, "repeats": 1, "core": ""}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Three processes a turn."""
    work = WORKS[settings.work]
    folder = build(work, FOLDER / "step" / work.name, settings.steps + 3)
    for turn in range(settings.repeats):
        for mode in MODES:
            yield Measurement("processes", {"turn": turn, "mode": mode}, partial(_process, settings, mode, folder))


def _process(settings: Chosen, mode: str, folder: Path) -> Row:
    words = ["--work", settings.work, "--mode", mode, "--steps", str(settings.steps), "--clock", settings.clock]
    command = [sys.executable, "-m", "benchmarks.workload.tvo_variance", str(folder), *words]
    found = child_process.run(command, settings.core)
    times = {name: [row[name] for row in found["rows"]] for name in ("step", "update", "inside")}
    return times | {"on": [int(row["on"]) for row in found["rows"]], "peak_mb": found["peak_mb"]}


def shares(row: Row) -> dict[str, float]:
    """Cost as shares of a step without the reading: inside its code, and the difference of on and off."""

    def middle(name: str, on: int) -> float:
        return median([value for value, switch in zip(row[name], row["on"], strict=True) if switch == on])

    step = middle("step", 0)
    difference = middle("update", 1) / step - middle("update", 0) / step
    return {"step_off": step, "inside": middle("inside", 1) / step, "difference": difference}


def table(record: Record) -> str:
    """Time in % of a step, memory with and without."""
    rows = record.rows("processes")
    turns = [shares(row) for row in rows if row["mode"] == "alternate"]
    peaks = {mode: [row["peak_mb"] for row in rows if row["mode"] == mode] for mode in ("on", "off")}
    lines = [
        ["inside the reading, % of a step", spread([100 * turn["inside"] for turn in turns])],
        ["step with − without, % of a step", spread([100 * turn["difference"] for turn in turns])],
        ["peak memory with, MB", spread(peaks["on"], 0)],
        ["peak memory without, MB", spread(peaks["off"], 0)],
    ]
    return markdown.table([str(record.settings["work"]), "median (least … most) over turns"], lines)


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()
