"""Where the time and memory of a step go: functions are wrapped from outside, so what is measured is what ships."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TextIO


def after_gpu() -> float:
    """Wall seconds once the GPU has done what it was given."""
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time, "gpu": after_gpu}


class Stopwatch:
    """Accumulated seconds by name, and rows of them."""

    told: ClassVar[TextIO | None] = None  # where each row is written as a line of JSON as soon as its step is over

    def __init__(self, clock: str) -> None:
        self.now = CLOCKS[clock]
        self.seconds: dict[str, float] = {}
        self.rows: list[dict[str, float]] = []
        self._begun = self.now()

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time added to `name`."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            begun = self.now()
            try:
                return function(*arguments, **keywords)
            finally:
                self.add(name, self.now() - begun)

        return timed

    def add(self, name: str, seconds: float) -> None:
        """To a part of the step under way."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def begin(self) -> None:
        """Forget what was before: the next step begins now."""
        self.seconds, self._begun = {}, self.now()

    def end_step(self, **more: float) -> None:
        """A step is over; the next begins."""
        now = self.now()
        self.rows.append(self.seconds | {"step": now - self._begun} | more)
        if self.told is not None:
            print(json.dumps({"row": self.rows[-1], "gpu_mb": peak_of_gpu()}), file=self.told, flush=True)
        self.seconds, self._begun = {}, now


def resident() -> float:
    """MiB of memory this process holds now; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20 if status.exists() else 0.0


def peak() -> float:
    """MiB of memory this process has held at most."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def peak_of_gpu() -> float:
    """MiB that tensors have taken at most on the GPU; 0 without one."""
    import torch

    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0


def memory(base: float) -> dict[str, float]:
    """MiB before the first step, at most, and at most on the GPU."""
    return {"base_mb": base, "peak_mb": peak(), "gpu_mb": peak_of_gpu()}
