"""What the device copies and multiplies in a second, measured: the limits that a program can reach. One JSON line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.harness.markdown import median
from benchmarks.workload.stopwatch import CLOCKS

COPIED = {"cuda": 2**30, "cpu": 2**26}  # bytes, far more than a cache holds
WIDTH = {"cuda": 8192, "cpu": 512}  # of the matrices
REPEATS, WARM_UP = 10, 3


def seconds(work: Callable[[], object], device: str) -> float:
    """The median of the repetitions."""
    now = CLOCKS["gpu" if device == "cuda" else "wall"]
    found = []
    for _ in range(WARM_UP + REPEATS):
        begun = now()
        work()
        found.append(now() - begun)
    return median(found[WARM_UP:])


def copy_bandwidth(device: str) -> float:
    """Bytes read and written a second by a copy on the device."""
    source = torch.randint(0, 127, (COPIED[device],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / seconds(lambda: target.copy_(source), device)


def product_flops(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a square matrix product of drawn numbers: zeros would be faster."""
    width = WIDTH[device]
    one, other = (torch.randn(width, width, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(one)
    return 2 * width**3 / seconds(lambda: torch.mm(one, other, out=out), device)


def measure(device: str) -> dict[str, Any]:
    """The fields of the table `device`."""
    name, memory = "cpu", 0
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        name, memory = properties.name, properties.total_memory
    return {
        "name": name,
        "memory_mb": memory / 2**20,
        "copy_bandwidth": copy_bandwidth(device),
        "product_flops": product_flops(device, torch.bfloat16),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=sorted(COPIED), default="cuda")
    print(json.dumps(measure(parser.parse_args().device)))


if __name__ == "__main__":
    main()
