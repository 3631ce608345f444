"""What several ranks gain: one rank, two ranks with the same batch between them, and two runs side by side.

    python -m benchmarks.ranks --work w10m

In turns, so that all see the same machine. `alone` is one rank of one thread; `side by side` are two such runs at
once, which is what two cores can do at best. `check` is the comparison of the ranks' states, by processor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.harness import child_process, markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER, ROOT
from benchmarks.harness.markdown import median
from benchmarks.harness.record import Record, Row, number, numbers, text
from benchmarks.harness.settings import Settings, option
from benchmarks.workload.work import WORKS, build

MODES = ("alone", "replicate", "side by side")
TABLES = {
    "turns": {
        "turn": number("which turn of the modes", "1"),
        "mode": text("alone; 2 ranks under a strategy; two runs side by side"),
        "step": numbers("each step, of the slower where there are two", "s"),
        "processor": numbers("each step: processor time of rank 0", "s"),
        "check": numbers("of that: the comparison of states", "s"),
        "exchange": numbers("each step: what rank 0 waits for and exchanges, by the wall", "s"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    work: Literal["tiny", "w1", "w10m", "smollm2"] = option("w10m", "the fixed work, see workload/work.py")
    steps: int = option(4, "measured steps a process", ge=1)
    repeats: int = option(3, "turns", gt=0)
    shard: bool = option(False, "two ranks that hold the weights between them, too")


QUICK = {"work": "tiny", "steps": 1, "repeats": 1}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The modes in turns."""
    work = WORKS[settings.work]
    folder = build(work, FOLDER / "step" / work.name, settings.steps + 2)
    for turn in range(settings.repeats):
        for mode in (*MODES, *(("shard",) if settings.shard else ())):
            yield Measurement("turns", {"turn": turn, "mode": mode}, partial(_turn, settings, mode, folder))


def _turn(settings: Chosen, mode: str, folder: Path) -> Row:
    words = ["-m", "benchmarks.workload.rank_step", str(folder), settings.work, str(settings.steps + 1)]
    if mode in ("replicate", "shard"):
        ranks = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        found = _run_together([[sys.executable, *ranks, *words, mode]], [""])
    elif mode == "alone":
        found = _run_together([[sys.executable, *words, "single"]], ["0"])
    else:
        found = _run_together([[sys.executable, *words, "single"]] * 2, ["0", "1"])
    names = ("step", "processor", "check", "exchange")
    return {name: [max(rows[name] for rows in at) for at in zip(*(one["rows"][1:] for one in found))] for name in names}


def _run_together(commands: list[list[str]], cores: list[str]) -> list[dict[str, Any]]:
    """Run the commands at once, each in a folder of its own; the JSON of each one's last line."""
    with tempfile.TemporaryDirectory() as place:
        named = [[*command, f"{place}/{number}"] for number, command in enumerate(commands)]
        running = [_start(command, core) for command, core in zip(named, cores, strict=True)]
        return [_result(process) for process in running]


def _start(command: list[str], core: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        child_process.pinned(command, core),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_process.surroundings(sys.executable),
        cwd=ROOT,
    )


def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=3600)
    if process.returncode:
        raise SystemExit(f"{process.args!r} failed:\n{err[-3000:]}")
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found


def table(record: Record) -> str:
    """Seconds a step, and what two ranks reach of one and of two side by side, turn by turn."""
    turns: dict[int, dict[str, Row]] = {}
    for row in record.rows("turns"):
        turns.setdefault(row["turn"], {})[row["mode"]] = row
    lines = [[turn, mode, *_figures(mode, modes)] for turn, modes in turns.items() for mode in modes]
    head = ["turn", str(record.settings["work"]), "step, s", "speed", "of side by side", "exchange", "check"]
    return markdown.table(head, lines)


def _figures(mode: str, modes: dict[str, Row]) -> list[str]:
    """Step; one rank's step over it; that over what two runs side by side do; shares of exchanges and of the check."""
    row, step = modes[mode], {name: median(one["step"]) for name, one in modes.items()}
    together = mode not in ("alone", "side by side")
    speed, best = step["alone"] / step[mode], 2 * step["alone"] / step["side by side"]
    shares = [f"{sum(row['exchange']) / sum(row['step']):.1%}", f"{sum(row['check']) / sum(row['processor']):.2%}"]
    gains = [f"{speed:.2f}", f"{speed / best:.2f}"] if together else ["", ""]
    return [f"{step[mode]:.3f}", *gains, *(shares if together else ["", ""])]


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()
