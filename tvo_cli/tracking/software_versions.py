"""Software versions of a run: Python, packages, machine, the checkout's commit."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "tvo-cli",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "accelerate",
    "hydra-core",
    "omegaconf",
    "datasets",
    "math-verify",
    "reasoning-gym",
    "numpy",
    "wandb",
    "rich",
    "typer",
)


def software_versions() -> dict[str, Any]:
    """Return the versions for versions.json: python, packages, machine, threads, and the checkout's commit."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hostname": socket.gethostname(),
        "packages": {name: version for name in PACKAGES if (version := package_version(name))},
        "threads": _torch_threads(),
        "processors": os.cpu_count(),
        "git": git_commit_state(Path(__file__).resolve().parents[2]),
    }


@lru_cache
def package_version(package: str) -> str | None:
    """Return the version of an installed package; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _torch_threads() -> int | None:
    """Return torch's threads, if something has imported torch: this room does not."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else None


@lru_cache  # of the code that this process has loaded
def git_commit_state(checkout: Path) -> dict[str, Any] | None:
    """Return the commit and whether tracked files differ from it; None outside a checkout."""
    if not (checkout / ".git").exists():
        return None
    commit, changes = _git_output(checkout, "rev-parse", "HEAD"), _git_output(checkout, "status", "--porcelain", "-uno")
    return None if commit is None else {"commit": commit, "dirty": bool(changes)}


def _git_output(checkout: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
