"""What every benchmark needs: the machine in words, a pinned child that prints JSON, spreads, fitted exponents."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "outputs" / "benchmarks"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}


def after_gpu() -> float:
    """Wall seconds once the GPU has done what it was given."""
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time, "gpu": after_gpu}


class Fit(NamedTuple):
    """y = c · x^exponent, by least squares on the logarithms."""

    exponent: float
    low: float  # 95%, Student's t
    high: float

    def __str__(self) -> str:
        return f"{self.exponent:.3f} [{self.low:.3f}, {self.high:.3f}]"


def fit(x: Sequence[float], y: Sequence[float]) -> Fit:
    """The exponent of a power law and its 95% interval; needs three points."""
    from scipy.stats import linregress, t

    found = linregress([math.log(v) for v in x], [math.log(v) for v in y])
    reach = float(t.ppf(0.975, len(x) - 2)) * float(found.stderr)
    return Fit(float(found.slope), float(found.slope) - reach, float(found.slope) + reach)


def child(command: list[str], core: str = "", environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a command pinned to a core with one thread; the JSON of its last line."""
    pinned = ["taskset", "-c", core, *command] if core and shutil.which("taskset") else command
    settings = os.environ | ONE_THREAD | OFFLINE | {"PYTHONPATH": str(ROOT)} | (environment or {})
    done = subprocess.run(pinned, capture_output=True, text=True, env=settings, cwd=ROOT, timeout=3600)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, memory, load and versions."""
    import torch
    import transformers

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "command": " ".join([f"python -m benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]),
    }


def resident() -> float:
    """MB of memory this process holds now; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20 if status.exists() else 0.0


def peak() -> float:
    """MB of memory this process has held at most."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def peak_of_gpu() -> float:
    """MB that tensors have taken at most on the GPU; 0 without one."""
    import torch

    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0


def held(base: float) -> dict[str, float]:
    """MB before the first step, at most, and at most on the GPU."""
    return {"base_mb": base, "peak_mb": peak(), "gpu_mb": peak_of_gpu()}


def middle(values: Sequence[float]) -> float:
    """The median, 0 of nothing."""
    return statistics.median(values) if values else 0.0


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (least … most)`."""
    if not values:
        return "–"
    return f"{middle(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write(path: Path, record: dict[str, Any]) -> None:
    """One JSON file, and where it lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    print(f"\nwritten: {path}")
