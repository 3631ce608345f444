"""The machine and the versions that a record names."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

from benchmarks.harness.record import Machine

PACKAGES = ("tvo-cli", "torch", "transformers", "numpy", "scipy", "math-verify")
CHECKOUT = Path(__file__).parents[2]


def machine() -> Machine:
    """Processor, cores, load and GPU."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
        platform=platform.platform(),
        gpu=_gpu(),
    )


def versions() -> dict[str, str]:
    """Python, the packages that are installed, and this checkout's commit."""
    from tvo_cli.tracking.software_versions import git_commit_state

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    git = git_commit_state(CHECKOUT)
    if git is not None:
        found["commit"] = git["commit"][:10] + (", changed since" if git["dirty"] else "")
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _gpu() -> str:
    torch = sys.modules.get("torch")  # what has not imported it does not use a GPU
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else ""
