"""A sweep that is refused before any job leaves no folder."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.tracking.run_folder import remove_empty

UNUSED = ("multirun.yaml", ".sweep.lock")  # Hydra's copy of the command, our lock

_folders: list[Path] = []  # of the sweeps that this process has begun


def begun(folder: Path) -> None:
    """A sweep has this folder from here on."""
    _folders.append(folder)


def discard() -> None:
    """Remove the folders that hold nothing of a job, and those above them that are empty then."""
    while _folders:
        folder = _folders.pop()
        if not {path.name for path in folder.glob("*")} - set(UNUSED):
            _remove(folder)


def _remove(folder: Path) -> None:
    for name in UNUSED:
        (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
