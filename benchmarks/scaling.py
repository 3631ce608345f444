"""How a step's time and memory grow with samples, length, vocabulary and parameters; fitted exponents.

    python -m benchmarks.scaling                    # all four axes
    python -m benchmarks.scaling --axes vocabulary

One axis at a time from W1's shape, our side alone, whole training steps as in benchmarks.step. An exponent is that of
a power law through the points, with its 95% interval. Memory is the peak of the process above what it held before
the first step: activations, gradients, moments, cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measuring import FOLDER, child, fit, machine, middle, table, write
from benchmarks.work import W1, Work, build

SHAPES = ((96, 2), (192, 4), (288, 6), (384, 8))  # width and layers
AXES: dict[str, list[tuple[float, Work]]] = {
    "samples": [(n, replace(W1, name=f"samples-{n}", samples=n)) for n in (4, 8, 16, 32)],
    "length": [(n, replace(W1, name=f"length-{n}", new_tokens=n)) for n in (32, 64, 128, 256)],
    "vocabulary": [
        (n, replace(W1, name=f"vocabulary-{n}", vocabulary=n, prompts=4)) for n in (2_000, 8_000, 32_000, 128_000)
    ],
    "parameters": [
        (
            layers * (2.67 * width**2 + 3 * width * round(2.67 * width)),
            replace(
                W1, name=f"width-{width}", hidden=width, layers=layers, heads=width // 32, kv_heads=width // 96 or 1,
                inner=round(2.67 * width),
            ),
        )
        for width, layers in SHAPES
    ],
}  # fmt: skip


def point(work: Work, steps: int, clock: str, core: str) -> dict[str, float]:
    """Medians of one process."""
    folder = build(work, FOLDER / "scaling" / work.name, steps + 2)
    sizes = ["--steps", str(steps), "--warm-up", "1", "--clock", clock]
    command = [sys.executable, "-m", "benchmarks.own_step", str(folder), "--work", json.dumps(vars(work)), *sizes]
    found = child(command, core)
    parts = {name: middle([row[name] for row in found["rows"]]) for name in ("step", "generation", "update")}
    return parts | {"grown_mb": found["peak_mb"] - found["base_mb"], "peak_mb": found["peak_mb"]}


def line(axis: str, sizes: list[float], found: list[dict[str, float]]) -> list[list[Any]]:
    """Rows of the table, one a quantity."""
    rows = []
    for name in ("step", "generation", "update", "grown_mb"):
        values = [one[name] for one in found]
        digits = 0 if name.endswith("mb") else 3
        shown = " · ".join(f"{value:.{digits}f}" for value in values)
        rows.append([axis, " · ".join(f"{size:,.0f}" for size in sizes), name, shown, fit(sizes, values)])
    return rows


def main() -> None:
    """A table and a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", nargs="+", choices=sorted(AXES), default=list(AXES))
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--core", default="1")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--out", type=Path, default=FOLDER / "scaling.json")
    chosen = parser.parse_args()
    before, rows, record = machine(), [], {}
    for axis in chosen.axes:
        sizes = [float(size) for size, _ in AXES[axis]]
        found = [point(work, chosen.steps, chosen.clock, chosen.core) for _, work in AXES[axis]]
        record[axis] = {"sizes": sizes, "points": found}
        rows += line(axis, sizes, found)
        print(axis, [round(one["step"], 3) for one in found], file=sys.stderr, flush=True)
    print(table(["axis", "sizes", "quantity", "seconds or MB", "exponent [95%]"], rows))
    write(chosen.out, {"machine": before, "axes": record})


if __name__ == "__main__":
    main()
