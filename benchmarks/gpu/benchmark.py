"""The benchmark of a GPU, as the harness takes it; what it measures says the package's own page."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks import gpu
from benchmarks.gpu import plan
from benchmarks.gpu.chosen import QUICK, Chosen
from benchmarks.gpu.tables import table
from benchmarks.harness.benchmark import Benchmark, Measurement, Skipped


def measure(chosen: Chosen, begun: float | None = None) -> Iterator[Measurement]:
    """Every part, unless there is no such device; `begun`: when the command was started, by time.monotonic."""
    if chosen.device == "cuda" and not torch.cuda.is_available():
        why = "there is no GPU that this PyTorch can use (torch.cuda.is_available() is false)"
        raise Skipped(f"{why}. --quick --device cpu runs every part at tiny sizes.")
    yield from plan.measurements(chosen, begun)


BENCHMARK = Benchmark(
    "gpu", gpu.__doc__ or "", Chosen, QUICK, plan.TABLES, measure, table, seeds=(0,), rows_at_once=True
)
