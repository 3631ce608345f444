"""The machine and the versions that a record names."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from benchmarks.harness.record import Machine

PACKAGES = ("tvo-cli", "torch", "transformers", "numpy", "scipy", "math-verify")
CHECKOUT = Path(__file__).parents[2]


def machine() -> Machine:
    """Processor, cores, load and GPU."""
    from tvo_cli.environment.machine import cpu_name

    return Machine(
        processor=cpu_name(),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
        platform=platform.platform(),
        gpu=_gpu(),
    )


def versions() -> dict[str, str]:
    """Python, the packages that are installed, and this checkout's commit."""
    from tvo_cli.tracking.software_versions import git_commit_state, package_version

    found = {"python": platform.python_version()}
    found |= {package: version for package in PACKAGES if (version := package_version(package))}
    git = git_commit_state(CHECKOUT)
    if git is not None:
        found["commit"] = git["commit"][:10] + (", changed since" if git["dirty"] else "")
    return found


def _gpu() -> str:
    torch = sys.modules.get("torch")  # what has not imported it does not use a GPU
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else ""
