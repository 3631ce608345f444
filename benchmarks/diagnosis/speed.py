"""How long `tvo diagnose` takes on ten thousand steps: processor time of the whole command, its start included."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.diagnosis.logs import LabelledLog, Rows
from benchmarks.diagnosis.simulated import simulated_rows
from benchmarks.harness import markdown
from benchmarks.harness.child_process import pinned, surroundings
from benchmarks.harness.record import Row, number, text
from tvo_cli.tracking.metric_names import METRICS

STEPS, COLLAPSED_AT, SEED, COLUMNS = 10_000, 1000, 1, 67  # so many columns has a run of ours
LOST = {"reward/mean": 0.1, "accuracy/fresh": 0.1, "policy/entropy": 0.01, "response/length": 900.0}
COUNTS, NOTHING = (
    ("optimizer/", "loss/nonfinite", "stability/", "data/"),
    1e-6,
)  # metrics of which a little is not nothing
ADDITIONS = 100_000
FIELDS = {
    "log": text("what is read"),
    "columns": number("of a row, at most", "1"),
    "megabytes": number("of the file", "MB"),
    "seconds": number("of a processor, user and system, of the whole command: the least of the tries", "s"),
    "loop": number("of a processor, of 100,000 additions in a loop: the least of the tries", "ms"),
}


def _ours() -> Rows:
    """A simulated log with as many columns as a run has: in those that no simulation makes there is next to nothing."""
    rows, rng = simulated_rows("learns", STEPS, SEED), np.random.default_rng(SEED)
    there = {name for row in rows for name in row}
    more = [one.name for one in METRICS if one.name not in there and not one.name.startswith(("eval/", *COUNTS))]
    more = more[: COLUMNS - len(there)]
    return [dict(zip(more, (rng.random(len(more)) * NOTHING).tolist(), strict=True)) | row for row in rows]


def _lines(rows: Rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _healthy() -> tuple[str, str]:
    return "metrics.jsonl", _lines(_ours())


def _collapsed() -> tuple[str, str]:
    return "metrics.jsonl", _lines([{**row, **LOST} if row["step"] > COLLAPSED_AT else row for row in _ours()])


def _of_trl() -> tuple[str, str]:
    log = LabelledLog("simulated", "healthy", "", SEED, None, "", _ours())
    return "trainer_state.json", json.dumps({"max_steps": STEPS, "log_history": log.as_trl_logs_it()})


LOGS: Mapping[str, Callable[[], tuple[str, str]]] = {
    "our metrics.jsonl, healthy": _healthy,
    "the same, collapsed at step 1,000": _collapsed,
    "TRL's trainer_state.json, healthy": _of_trl,
}


def timed(log: str, tries: int, core: str) -> Row:
    """The least time of a command that reads the log, and of a loop beside it."""
    with tempfile.TemporaryDirectory() as folder:
        name, content = LOGS[log]()
        file = Path(folder) / name
        file.write_text(content, encoding="utf-8")
        command = [sys.executable, "-m", "tvo_cli", "diagnose", str(file)]
        found = [(_seconds(command, core), _loop()) for _ in range(tries)]
    columns = len({key for row in _rows(name, content) for key in row})
    seconds, loops = (min(values) for values in zip(*found, strict=True))
    size = len(content.encode()) / 1e6
    return {"columns": columns, "megabytes": round(size, 1), "seconds": seconds, "loop": loops * 1e3}


def _rows(name: str, content: str) -> Sequence[Mapping[str, Any]]:
    whole = name.endswith(".json")
    return json.loads(content)["log_history"] if whole else [json.loads(line) for line in content.splitlines()[:2]]


def _seconds(command: Sequence[str], core: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(pinned(command, core), check=True, capture_output=True, env=surroundings(command[0]))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _loop() -> float:
    begun, total = time.process_time(), 0
    for number_ in range(ADDITIONS):
        total += number_
    return time.process_time() - begun


def table(rows: Sequence[Row]) -> str:
    """A line a log."""
    head = ("log of 10,000 steps", "columns", "MB", "s of a processor", "in loops of 100,000 additions")
    lines = [
        [
            row["log"],
            row["columns"],
            row["megabytes"],
            f"{row['seconds']:.2f}",
            f"{1e3 * row['seconds'] / row['loop']:.0f}",
        ]
        for row in rows
    ]
    return markdown.table(head, lines)
