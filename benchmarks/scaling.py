"""How a step's time and memory grow with samples, length, vocabulary and parameters; fitted exponents.

    python -m benchmarks.scaling                    # all four axes
    python -m benchmarks.scaling --axes vocabulary

One axis at a time from W1's shape, our side alone, whole training steps as in benchmarks.step. An exponent is that of
a power law through the points, with its 95% interval. Memory is the peak of the process above what it held before
the first step: activations, gradients, moments, cache.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.markdown import median, several
from benchmarks.harness.power_law import fit
from benchmarks.harness.record import Record, Row, group, number, text
from benchmarks.harness.settings import Clock, Settings, option
from benchmarks.workload import step_process
from benchmarks.workload.work import TINY, W1, Work, build

Axis = Literal["samples", "length", "vocabulary", "parameters"]
SHAPES = ((96, 2), (192, 4), (288, 6), (384, 8))  # width and layers
QUANTITIES = ("step", "generation", "update", "grown_mb")
TABLES = {
    "points": {
        "axis": text("what is varied"),
        "size": number("its value", "responses a prompt, new tokens, words or parameters of the layers"),
        **step_process.FIELDS,
    }
}


def _width(work: Work, width: int, layers: int) -> Work:
    inner, heads = round(2.67 * width), width // 32
    return replace(work, hidden=width, layers=layers, heads=heads, kv_heads=width // 96 or 1, inner=inner)


def points(work: Work) -> dict[Axis, list[tuple[float, Work]]]:
    """Size and work of each point."""
    axes: dict[Axis, list[tuple[float, Work]]] = {
        "samples": [(n, replace(work, samples=n)) for n in (4, 8, 16, 32)],
        "length": [(n, replace(work, new_tokens=n)) for n in (32, 64, 128, 256)],
        "vocabulary": [(n, replace(work, vocabulary=n, prompts=4)) for n in (2_000, 8_000, 32_000, 128_000)],
        "parameters": [
            (layers * (2.67 * width**2 + 3 * width * round(2.67 * width)), _width(work, width, layers))
            for width, layers in SHAPES
        ],
    }
    return {
        axis: [(size, replace(one, name=f"{axis}-{size:.0f}")) for size, one in found] for axis, found in axes.items()
    }


class Chosen(Settings):
    """What can be chosen."""

    axes: tuple[Axis, ...] = option(tuple(points(W1)), "what is varied")
    work: Literal["tiny", "w1"] = option("w1", "the work that is varied, see workload/work.py")
    points: int = option(4, "how many of an axis' points; an exponent needs three", ge=3, le=4)
    steps: int = option(3, "measured steps a point", gt=0)
    core: str = option("1", "the core it is pinned to; empty: none")
    clock: Clock = option("wall", "cpu where the machine is shared")


QUICK = {"axes": ("samples",), "work": "tiny", "points": 3, "steps": 1, "core": ""}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """One process a point."""
    axes = points({"tiny": TINY, "w1": W1}[settings.work])
    for axis in settings.axes:
        for size, work in axes[axis][: settings.points]:
            key = {"axis": axis, "size": float(size)}
            yield Measurement("points", key, partial(_point, settings, work))


def _point(settings: Chosen, work: Work) -> Row:
    folder = build(work, FOLDER / "scaling" / work.name, settings.steps + 2)
    steps: dict[str, Any] = {"steps": settings.steps, "warm_up": 1, "clock": settings.clock}
    found = step_process.measured("tvo", work, folder, python=sys.executable, core=settings.core, **steps)
    return found | {"side": "tvo"}


def table(record: Record) -> str:
    """Each axis and quantity: values and exponent."""
    lines = []
    for (axis,), rows in group(record.rows("points"), "axis").items():
        sizes = [row["size"] for row in rows]
        for name in QUANTITIES:
            values = [_value(row, name) for row in rows]
            shown = several(f"{value:.{0 if name.endswith('mb') else 3}f}" for value in values)
            exponent = _exponent(sizes, values)
            lines.append([axis, several(f"{size:,.0f}" for size in sizes), name, shown, exponent])
    return markdown.table(["axis", "sizes", "quantity", "seconds or MB", "exponent [95%]"], lines)


def _value(row: Row, name: str) -> float:
    return float(row["peak_mb"] - row["base_mb"]) if name == "grown_mb" else median(row[name])


def _exponent(sizes: Sequence[float], values: Sequence[float]) -> str:
    return str(fit(sizes, values)) if len(sizes) > 2 and min(values) > 0 else "–"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()
