"""Facts of the machine: processors and what they can do, memory, accelerators."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

# of a CPU, those that decide how quick a matrix product is
LISTED_FEATURES = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "sve",
    "bf16",
    "i8mm",
)


def machine_facts() -> dict[str, Any]:
    """Return name and features of the CPU, processors this process may use, threads of torch, GPUs."""
    import torch

    text = _read_cpuinfo(Path("/proc/cpuinfo"))
    return {
        "cpu": cpu_name(text),
        "cpu_features": cpu_features(text),
        "cpu_kernels": torch.backends.cpu.get_cpu_capability(),
        "isa_limit": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def cpu_name(cpuinfo: str | None = None) -> str:
    """Return the name of the CPU as /proc/cpuinfo has it, else its architecture."""
    text = _read_cpuinfo(Path("/proc/cpuinfo")) if cpuinfo is None else cpuinfo
    return _cpuinfo_field(text, r"model name\s*:\s*(.+)") or platform.processor() or platform.machine()


def cpu_features(cpuinfo: str) -> list[str]:
    """Return the vector units that /proc/cpuinfo lists, x86 and arm alike."""
    listed = set(_cpuinfo_field(cpuinfo, r"(?:flags|Features)\s*:\s*(.+)").split())
    return [name for name in LISTED_FEATURES if name in listed]


def _cpuinfo_field(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group(1).strip() if found else ""


def _read_cpuinfo(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
