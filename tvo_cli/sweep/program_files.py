"""The state of the program's files: whether its code has changed since a process has loaded it."""

from __future__ import annotations

import site
from pathlib import Path

import tvo_cli

State = dict[str, tuple[int, int]]


def state_of_program_files() -> State:
    """Return time and size of every module of this program, and the time of each folder of installed packages.

    The folders change when a package is installed, updated or removed.
    """
    modules = [path for path in Path(tvo_cli.__file__).parent.rglob("*.py")]
    folders = [path for path in map(Path, site.getsitepackages()) if path.is_dir()]
    found: State = {}
    for path in (*modules, *folders):
        seen = path.stat()
        found[str(path)] = (seen.st_mtime_ns, seen.st_size)
    return found


def changed_program_files(before: State, now: State) -> list[str]:
    """Return the files that differ between two states: written, new or gone."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
