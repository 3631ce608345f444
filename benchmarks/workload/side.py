"""The command line of one side of a step's benchmark: folder, work, sizes; prints a JSON line a step and one of all."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.workload.operations import OperationsStopwatch
from benchmarks.workload.stopwatch import CLOCKS, Stopwatch
from benchmarks.workload.work import Work, named

Run = Callable[..., dict[str, Any]]  # (work, folder, steps=, warm_up=, clock=, and what its own command line adds)


def command_line() -> argparse.ArgumentParser:
    """What both sides understand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", default="w1", help="a name, or fields as JSON")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--operations", action="store_true", help="profile the last step")
    return parser


def stopwatch(work: Work, clock: str, steps: int, operations: bool) -> Stopwatch:
    """For so many steps, those of the warm-up included; one that profiles the last of them if asked."""
    if not operations:
        return Stopwatch(clock)
    return OperationsStopwatch(clock, steps - 1, work.width)


def profiled(watch: Stopwatch) -> dict[str, dict[str, float]]:
    """What an operations' stopwatch adds to a side's line."""
    return {"operations": watch.operations} if isinstance(watch, OperationsStopwatch) else {}


def main(parser: argparse.ArgumentParser, run: Run) -> None:
    """Run one side on one thread; everything but its lines of JSON goes to stderr."""
    chosen = vars(parser.parse_intermixed_args())
    out, sys.stdout = sys.stdout, sys.stderr
    Stopwatch.told = out
    torch.set_num_threads(1)
    found = run(named(chosen.pop("work")), chosen.pop("folder"), **chosen)
    print(json.dumps(found), file=out)
