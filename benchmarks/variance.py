"""What the gradient-variance reading costs of a step: the same training with the reading on and off, step by step.

    python -m benchmarks.variance --work w1

The micro-batches stay; only the reading goes, in every other step of the same process, so that both see the same
machine. `inside` is the time spent in the reading's own code. Memory is the peak of a process with and one without it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measuring import CLOCKS, FOLDER, child, machine, middle, spread, table, write
from benchmarks.work import WORKS, build, named

MODES = {"alternate": (True, False), "on": (True,), "off": (False,)}


def measured(folder: Path, work: str, mode: str, steps: int, clock: str) -> dict[str, Any]:
    """One process: the rows of its steps, each with whether the reading was on and the seconds inside it."""
    from benchmarks import own_step
    from tvo_cli.stability import gradient_noise
    from tvo_cli.training import update

    states, inside, seen = MODES[mode], [0.0], list[tuple[bool, float]]()
    now = CLOCKS[clock]

    class Switched(gradient_noise.MicroBatchVariance):
        """The product's reading, or nothing."""

        def __init__(self, parameters: Any) -> None:
            self.on = states[len(seen) % len(states)]
            inside[0] = 0.0
            begun = now()
            super().__init__(parameters)
            inside[0] += now() - begun

        @contextmanager
        def part(self) -> Iterator[None]:
            if not self.on:
                yield
                return
            begun, real = now(), super().part()
            with real:
                inside[0] += now() - begun
                yield
                begun = now()
            inside[0] += now() - begun

        def result(self, norm_squared: float, *, rollouts: int, total_rollouts: int) -> gradient_noise.GradientReading:
            seen.append((self.on, inside[0]))
            if self.on:
                return super().result(norm_squared, rollouts=rollouts, total_rollouts=total_rollouts)
            return gradient_noise.GradientReading(norm_squared, norm_squared, 2, rollouts, total_rollouts)

    norm = gradient_noise._norm

    def timed(found: Any) -> Any:
        begun = now()
        try:
            return norm(found)
        finally:
            inside[0] += now() - begun

    gradient_noise._norm, update.MicroBatchVariance = timed, Switched
    found = own_step.run(named(work), folder, steps=steps, warm_up=2, clock=clock, words=[])
    rows = [row | {"on": on, "inside": took} for row, (on, took) in zip(found["rows"], seen[2:], strict=True)]
    return {"rows": rows, "peak_mb": found["peak_mb"], "readings": found["readings"]}


def shares(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Cost as shares of a step without the reading: inside its code, and the difference of on and off."""
    on, off = ([row for row in rows if row["on"] is wanted] for wanted in (True, False))
    step = middle([row["step"] for row in off])
    return {
        "step_off": step,
        "inside": middle([row["inside"] for row in on]) / step,
        "difference": middle([row["update"] for row in on]) / step - middle([row["update"] for row in off]) / step,
    }


def main() -> None:
    """A table and a JSON file."""
    chosen = arguments()
    work = WORKS[chosen.work]
    folder = build(work, FOLDER / "step" / work.name, chosen.steps + 3)
    if chosen.child:
        out, sys.stdout = sys.stdout, sys.stderr
        print(json.dumps(measured(folder, work.name, chosen.child, chosen.steps, chosen.clock)), file=out)
        return
    before, turns, peaks = machine(), [], dict[str, list[float]]()
    for _ in range(chosen.repeats):
        turns.append(shares(run(chosen, "alternate")["rows"]))
        for mode in ("on", "off"):
            peaks.setdefault(mode, []).append(run(chosen, mode)["peak_mb"])
        print(turns[-1], flush=True)
    rows = [
        ["inside the reading, % of a step", spread([100 * turn["inside"] for turn in turns])],
        ["step with − without, % of a step", spread([100 * turn["difference"] for turn in turns])],
        ["peak memory with, MB", spread(peaks["on"], 0)],
        ["peak memory without, MB", spread(peaks["off"], 0)],
    ]
    print(table([work.name, "median (least … most) over turns"], rows))
    write(chosen.out or FOLDER / f"variance-{work.name}.json", {"machine": before, "turns": turns, "peak_mb": peaks})


def run(chosen: argparse.Namespace, mode: str) -> dict[str, Any]:
    """One process."""
    words = ["--work", chosen.work, "--steps", str(chosen.steps), "--clock", chosen.clock, "--child", mode]
    return child([sys.executable, "-m", "benchmarks.variance", *words], chosen.core)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=sorted(WORKS), default="w1")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--core", default="1")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--child", choices=sorted(MODES), default="", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
