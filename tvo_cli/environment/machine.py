"""The machine: processors and what they can do, memory, accelerators."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

# of a CPU, those that decide how quick a matrix product is
TOLD = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "sve", "bf16", "i8mm")


def facts() -> dict[str, Any]:
    """Name and features of the CPU, processors this process may use, threads of torch, GPUs."""
    import torch

    text = _read(Path("/proc/cpuinfo"))
    return {
        "cpu": _first(text, r"model name\s*:\s*(.+)") or platform.processor() or platform.machine(),
        "cpu_features": features(text),
        "cpu_kernels": torch.backends.cpu.get_cpu_capability(),
        "isa_limit": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def features(cpuinfo: str) -> list[str]:
    """What /proc/cpuinfo says of vector units, x86 and arm alike."""
    listed = set(_first(cpuinfo, r"(?:flags|Features)\s*:\s*(.+)").split())
    return [name for name in TOLD if name in listed]


def _first(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group(1).strip() if found else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
