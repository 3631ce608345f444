"""A measured process of its own: one thread, pinned to a core, offline; its last line is JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "outputs" / "benchmarks"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}


def pinned(command: Sequence[str], core: str) -> list[str]:
    """The command on one core, where the system can do that; an empty `core` leaves it free."""
    return ["taskset", "-c", core, *command] if core and shutil.which("taskset") else list(command)


def surroundings(python: str) -> dict[str, str]:
    """The environment of a process that an interpreter runs: this checkout first, then, if it is ours, our PYTHONPATH.

    What PYTHONPATH names was built for this interpreter; a peer's has its own.
    """
    ours = os.environ.get("PYTHONPATH") if python == sys.executable else None
    return os.environ | ONE_THREAD | OFFLINE | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), ours)))}


def run(command: Sequence[str], core: str = "", environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command; the JSON of its last line."""
    settings = surroundings(command[0]) | dict(environment or {})
    done = subprocess.run(
        pinned(command, core), capture_output=True, text=True, env=settings, cwd=ROOT, timeout=3600, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def wait_for(command: Sequence[str]) -> int:
    """The exit code of a command that stops by itself: each signal to stop is passed on to it, and its end awaited."""
    from tvo_cli.signals import signals_not_ignored

    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # heard before it has started

    def pass_on(number: int, _: FrameType | None) -> None:
        early.append(number) if process is None else process.send_signal(number)

    with ExitStack() as stack:
        for number in signals_not_ignored((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
            stack.callback(signal.signal, number, signal.signal(number, pass_on))
        process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, start_new_session=True))
        for heard in early:
            process.send_signal(heard)
        return process.wait()
