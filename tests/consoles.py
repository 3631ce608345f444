"""Commands on consoles in any state: closed, full, slow, lost, on a terminal of their own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TVO = f"{sys.executable} -m tvo_cli"
LIMIT = 240  # seconds for anything here, on however busy a machine
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more}


def shell(place: Path, line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash; the exit code is that of the first command of a pipe."""
    words = ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"]
    return subprocess.run(words, cwd=place, env=environment(**more), capture_output=True, timeout=LIMIT)


def on_a_terminal(place: Path, words: list[str], act: Callable[[int, int], bytes], **more: str) -> tuple[int, bytes]:
    """A program in a session of its own on a new terminal: (exit code, what `act(pid, terminal)` gives)."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.chdir(place)
        os.execve(sys.executable, [sys.executable, *words], environment(**more))
    try:
        found = act(pid, terminal)
        return ended(pid), found
    finally:
        os.close(terminal) if is_open(terminal) else None


def ended(pid: int) -> int:
    """The exit code of a child; one that does not end is killed, and the test fails."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("it did not end")


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows up to a text, or up to its end."""
    shown = b""
    while wanted not in shown:
        try:
            more = os.read(terminal, 4096)
        except OSError:  # Linux: the other side is closed
            return shown
        if not more:
            return shown
        shown += more
    return shown
