"""How many core hours the second edition takes: its jobs, and processor seconds of batches timed on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.harness import markdown
from benchmarks.harness.child_process import ROOT
from benchmarks.harness.collection import say
from benchmarks.harness.record import Row, number, text
from benchmarks.sweeps.sweep import Sweep

MOST = 20.0  # core hours
PLAN = {  # the fields of the sum's table
    "sweep": text("which part of the comparison"),
    "jobs": number("runs", "1"),
    "hours": number("of one core, from batches timed here", "core hours"),
}
QUIET = ("trainer.threads=1", "logger=none", "logger.console=off", "trainer.checkpoint_every=0")


class Timed(NamedTuple):
    """The run whose batches are timed, and how many the longer of the two has; the other has one."""

    words: tuple[str, ...]
    batches: int


EMBEDDED = Timed(("algorithm=tvo_2025",), 4)  # sixteen updates a batch


def sum_of(plan: Sequence[Sweep], timed_of: Callable[[Sweep], Timed] = lambda _: EMBEDDED) -> list[Row]:
    """A row a sweep, said before the first of them begins; `timed_of`: the run by which a sweep's jobs are counted."""
    rows = [{"sweep": sweep.name, "jobs": sweep.jobs, "hours": _hours(sweep, timed_of(sweep))} for sweep in plan]
    say(table_of_sum(rows))
    return rows


def _hours(sweep: Sweep, timed: Timed) -> float:
    """Jobs × (a run of one batch, its evaluations included + the other batches), each as the timed one: at most."""
    first, further = _seconds(timed)
    return sweep.jobs * (first + (sweep.batches - 1) * further) / 3600


@cache
def _seconds(timed: Timed) -> tuple[float, float]:
    """Processor seconds of a job of one batch and of each further batch, after a run that warms up."""
    before = _processor_seconds_of_children()
    subprocess.run([sys.executable, "-c", "import tvo_cli.experiment"], cwd=ROOT, check=True)
    start = _processor_seconds_of_children() - before
    _, short, long = (_processor_seconds(timed.words, steps) for steps in (1, 1, timed.batches))
    further = (long - short) / (timed.batches - 1)
    say(f"processor seconds: {start:.2f} to start, {short:.2f} a run of one batch, {further:.2f} a further batch")
    return start + short, further


def _processor_seconds_of_children() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _processor_seconds(words: Sequence[str], steps: int) -> float:
    from tvo_cli import config
    from tvo_cli.experiment import train

    with TemporaryDirectory() as place:
        chosen = config.compose([*words, *QUIET, f"trainer.steps={steps}", f"output_dir={place}/run"])
        begun = time.process_time()
        train(chosen)
        return time.process_time() - begun


def table_of_sum(plan: Sequence[Row]) -> str:
    """Jobs and core hours, sweep by sweep."""
    total = sum(row["hours"] for row in plan)
    lines = [[row["sweep"], row["jobs"], f"{row['hours']:.2f}"] for row in plan]
    verdict = f"**{total:.1f} core hours**" + ("" if total <= MOST else f", more than the {MOST:.0f} that are allowed")
    return markdown.table(["sweep", "jobs", "core hours"], [*lines, ["all", sum(row["jobs"] for row in plan), verdict]])
