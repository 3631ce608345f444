"""The peak memory of a run so far: of the process on a CPU, of what torch has reserved on a GPU."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")


def peak_memory_metrics(device: torch.device) -> dict[str, float]:
    """`memory/peak` in GB (10⁹ bytes), the highest since the process began; nothing where it cannot be read."""
    peak = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else peak_of_process()
    return {"memory/peak": peak / 1e9} if peak else {}


def peak_of_process() -> int:
    """The largest resident set of this process in bytes; 0 where the system does not tell.

    Linux's own count of the address space comes first: that of getrusage is handed on by whoever started the process.
    """
    if STATUS.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text(encoding="ascii"))):
        return int(found[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
