"""Fault points: a process that kills itself with -9 at its n-th event, and nothing of it in the product.

Events are what a run does to the world or to its weights: an fsync, a rename, the removal of a folder, a row of
metrics, a rollout batch, an update. `counted` runs in a child and says how many there are, by kind; `killed`
runs in a child that sends itself SIGKILL before or after the n-th. Children are forks: torch is loaded once.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from tvo_cli.checkpoint import safetensors_files
from tvo_cli.tracking.metrics_file import MetricsFile
from tvo_cli.training import training_loop
from tvo_cli.training.rollout_collection import collect_rollouts

POINTS = [
    *((os, "fsync"), (Path, "rename"), (Path, "replace"), (shutil, "rmtree"), (safetensors_files, "save_file")),
    *(
        (Path, "write_text"),
        (Path, "mkdir"),
        (MetricsFile, "append"),
        (collect_rollouts, "sample_responses"),
        (training_loop, "update_policy"),
    ),
    *((training_loop, "measure_step"), (training_loop, "adapt_after_batch")),
]
SAVING = {"fsync", "rename", "replace", "rmtree", "save_file", "write_text", "mkdir"}


def events(act: Callable[[], object]) -> list[str]:
    """The kinds of all events of a run, in order, seen in a child."""
    reading, writing = os.pipe()

    def watching() -> None:
        for _ in _patched(lambda name: os.write(writing, f"{name}\n".encode())):
            pass
        act()

    _child(watching)
    os.close(writing)
    with os.fdopen(reading) as file:
        return file.read().split()


def killed(act: Callable[[], object], at: int, *, after: bool) -> bool:
    """Run in a child that is killed before, or just after, its event number `at`; whether it was."""
    count = [0]

    def strike(name: str) -> None:
        if count[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        count[0] += 1

    def dying() -> None:
        for _ in _patched(strike, after=after):
            pass
        act()

    return _child(dying) == signal.SIGKILL


def _patched(tell: Callable[[str], object], *, after: bool = False) -> Iterator[None]:
    """Replace every point by itself and a word to `tell`; a child's own, so nothing is put back."""
    for owner, name in POINTS:
        setattr(owner, name, _telling(getattr(owner, name), name, tell, after))
        yield


def _telling(function: Callable[..., object], name: str, tell: Callable[[str], object], after: bool) -> object:
    def told(*args: object, **named: object) -> object:
        if not after:
            tell(name)
        found = function(*args, **named)
        if after:
            tell(name)
        return found

    return told


def _child(act: Callable[[], None]) -> int:
    """Fork, act, leave without pytest's clean-up; the signal that ended it, 0 for a normal end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


__all__ = ["SAVING", "events", "killed"]
