"""Waiting for processes, and for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(reached: Callable[[], Found | None], seconds: float = 300.0) -> Found:
    """Wait for something to become true; what it became."""
    end = time.monotonic() + seconds
    while not (found := reached()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def are_gone(pids: Sequence[int], seconds: float = 30.0) -> bool:
    """Whether all of them end before so many seconds have passed."""
    end = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(is_running, pids))
