"""The state of the program's files: whether its code has changed since a process has loaded it."""

from __future__ import annotations

import site
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import tvo_cli

State = dict[str, tuple[int, int]]


def state_of_program_files() -> State:
    """Return time and size of every module of this program, and of what says which packages are installed."""
    found: State = {}
    for path in (*Path(tvo_cli.__file__).parent.rglob("*.py"), *_installed_packages()):
        with suppress(FileNotFoundError):  # written anew, or uninstalled, at this very moment
            seen = path.stat()
            found[str(path)] = (seen.st_mtime_ns, seen.st_size)
    return found


def _installed_packages() -> Iterator[Path]:
    """Yield the folder of each installed package's metadata: another one after an update."""
    for folder in site.getsitepackages():
        yield from Path(folder).glob("*.dist-info")


def changed_program_files(before: State, now: State) -> list[str]:
    """Return the files that differ between two states: written, new or gone."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
