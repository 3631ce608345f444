"""`tvo train` with the gradient-variance reading on, off or alternating; prints one JSON line.

Run by benchmarks.variance_reading. The micro-batches stay; only the reading goes, so that both kinds of step do the
same work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from benchmarks.workload import tvo_step
from benchmarks.workload.stopwatch import CLOCKS
from benchmarks.workload.work import named
from tvo_cli.stability import gradient_noise
from tvo_cli.stability.gradient_noise import GradientNoiseReading

MODES = {"alternate": (True, False), "on": (True,), "off": (False,)}
WARM_UP = 2


class Meter:
    """Whether the reading of each step was on, and the seconds inside its code."""

    def __init__(self, mode: str, clock: str) -> None:
        self.now, self.states = CLOCKS[clock], MODES[mode]
        self.inside = 0.0
        self.seen: list[tuple[bool, float]] = []

    def begin(self) -> bool:
        """A step's reading begins: whether it is on."""
        self.inside = 0.0
        return self.states[len(self.seen) % len(self.states)]

    def timed(self, function: Any) -> Any:
        """The function, its time added."""

        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            begun = self.now()
            try:
                return function(*arguments, **keywords)
            finally:
                self.inside += self.now() - begun

        return wrapped


class Switched(gradient_noise.MicroBatchVariance):
    """The product's reading, or nothing."""

    meter: Meter

    def __init__(self, parameters: Any) -> None:
        self.on = self.meter.begin()
        self.meter.timed(super().__init__)(parameters)

    @contextmanager
    def part(self) -> Iterator[None]:
        """A micro-batch's gradient."""
        if not self.on:
            yield
            return
        real = super().part()
        self.meter.timed(real.__enter__)()
        yield
        self.meter.timed(real.__exit__)(None, None, None)

    def result(self, gradient_norm_squared: float, *, rollouts: int, total_rollouts: int) -> GradientNoiseReading:
        """The reading, or one that says nothing."""
        self.meter.seen.append((self.on, self.meter.inside))
        if self.on:
            return super().result(gradient_norm_squared, rollouts=rollouts, total_rollouts=total_rollouts)
        return GradientNoiseReading(gradient_norm_squared, gradient_norm_squared, 2, rollouts, total_rollouts)


def run(work: str, folder: Path, mode: str, steps: int, clock: str) -> dict[str, Any]:
    """The rows of its steps, each with whether the reading was on and the seconds inside it."""
    meter = Switched.meter = Meter(mode, clock)
    gradient_noise.part_gradient_norm = meter.timed(gradient_noise.part_gradient_norm)
    update: Any = import_module("tvo_cli.training.update.minibatch_gradient")
    update.MicroBatchVariance = Switched
    found = tvo_step.run(named(work), folder, steps=steps, warm_up=WARM_UP, clock=clock, words=[])
    pairs = zip(found["rows"], meter.seen[WARM_UP:], strict=True)
    rows = [row | {"on": on, "inside": took} for row, (on, took) in pairs]
    return {"rows": rows, "peak_mb": found["peak_mb"]}


def main() -> None:
    """Everything but its JSON goes to stderr."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", default="w1")
    parser.add_argument("--mode", choices=sorted(MODES), default="alternate")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    chosen = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    print(json.dumps(run(chosen.work, chosen.folder, chosen.mode, chosen.steps, chosen.clock)), file=out)


if __name__ == "__main__":
    main()
