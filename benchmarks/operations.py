"""Where the seconds of a training step go, by kind of operation: ours and TRL's, one profiled step of each.

    python -m benchmarks.operations --work w1                  # our side alone
    python -m benchmarks.operations --work w1 --peer trl
    python -m benchmarks.operations --work smollm2 --steps 2 --warm-up 1

The last step of each process runs under PyTorch's profiler, the steps before it do not: `profiled` over `step` says
what the profiler itself costs, most of it outside operations. An operation is counted by the time in its own code.
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
from benchmarks.harness.markdown import median
from benchmarks.harness.record import Record, Row, by_name, number, numbers, text
from benchmarks.harness.settings import Clock, Settings, option
from benchmarks.peers.environment import interpreter
from benchmarks.workload import step_process
from benchmarks.workload.operations import COLUMNS, HEAD, KINDS, OTHER, OUTSIDE, REST
from benchmarks.workload.work import WORKS, build

PARTS = (*dict.fromkeys(COLUMNS.values()), REST)
TABLES = {
    "processes": {
        "side": text("which trainer"),
        "step": numbers("each step that was not profiled", "s"),
        "profiled": number("the step that was", "s"),
        "operations": by_name("of the profiled step: part/kind", "s"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    work: Literal["tiny", "w1", "w1skew", "w2", "smollm2", "smollm2skew", "smollm2skew4"] = option(
        "w1", "see workload/work.py"
    )
    peer: Literal["", "trl"] = option("", "the other side")
    peer_python: str = option("", "an interpreter that has TRL 1.16.0; else one is set up")
    steps: int = option(4, "steps a process, the profiled one included", ge=2)
    warm_up: int = option(2, "steps before them", ge=1)
    core: str = option("1", "the core that both sides are pinned to; empty: none")
    clock: Clock = option("wall", "cpu where the machine is shared")
    words: tuple[str, ...] = option((), "further overrides of our run, after --", positional=True)


QUICK = {"work": "tiny", "steps": 2, "warm_up": 1, "core": ""}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """One process a side."""
    work, peer = WORKS[settings.work], settings.peer
    pythons = {"tvo": sys.executable} | ({peer: interpreter(peer, settings.peer_python)} if peer else {})
    folder = build(work, FOLDER / "step" / work.name, settings.steps + settings.warm_up + 1)
    for side, python in pythons.items():
        yield Measurement("processes", {"side": side}, partial(_process, settings, side, python, folder))


def _process(settings: Chosen, side: str, python: str, folder: Path) -> Row:
    sizes = ["--steps", str(settings.steps), "--warm-up", str(settings.warm_up), "--clock", settings.clock]
    words = settings.words if side == "tvo" else ()
    module = step_process.SIDES[side]
    command = [python, "-m", module, str(folder), "--work", settings.work, *sizes, "--operations", *words]
    found = child_process.run(command, settings.core)
    *plain, profiled = (row["step"] for row in found["rows"])
    return {"step": plain, "profiled": profiled, "operations": found["operations"]}


def table(record: Record) -> str:
    """Seconds by kind and part, a side a table."""
    return "\n\n".join(_side(record.settings["work"], row) for row in record.rows("processes"))


def _side(work: str, row: Row) -> str:
    whole = sum(row["operations"].values())
    lines = []
    for kind in (HEAD, *KINDS, OTHER, OUTSIDE):
        parts = [row["operations"].get(f"{part}/{kind}", 0.0) for part in PARTS]
        lines.append([kind, *(f"{part:.3f}" for part in parts), f"{sum(parts):.3f}", f"{sum(parts) / whole:.0%}"])
    lines.sort(key=lambda line: -float(line[-2]))
    title = f"{work}, {row['side']}: {row['profiled']:.2f} s profiled, {median(row['step']):.2f} s without the profiler"
    return f"{title}\n\n{markdown.table(['kind, s', *PARTS, 'all', 'share'], lines)}"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()
