"""Refused sweeps: one without a job is refused, and one that is refused before any job leaves no folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.tracking import run_status
from tvo_cli.tracking.atomic_files import names_in_folder, remove_unfinished_files
from tvo_cli.tracking.run_folder import remove_empty_run_folder

UNUSED = ("multirun.yaml", ".sweep.lock")  # Hydra's copy of the command, our lock

_folders: list[Path] = []  # of the sweeps that this process has begun


def remember_sweep_folder(folder: Path) -> None:
    """Remember the folder of a sweep that begins, for its removal if the sweep is refused."""
    _folders.append(folder)


def remove_refused_sweep_folders() -> None:
    """Remove the folders of sweeps that hold nothing of a job, and those above them that are empty then."""
    while _folders:
        folder = _folders.pop()
        if not names_in_folder(folder) - set(UNUSED):
            _remove_refused_sweep_folder(folder)


def _remove_refused_sweep_folder(folder: Path) -> None:
    """Remove a sweep's folder that holds nothing of a job."""
    for name in UNUSED:
        (folder / name).unlink(missing_ok=True)
    remove_unfinished_files(folder)
    remove_empty_run_folder(folder)


def check_folder_holds_no_run(folder: Path) -> None:
    """Refuse a sweep in the folder of a single run, whose files would lie beside its jobs'.

    Raises:
        UserError: names the folder.
    """
    if run_status.read_status(folder):
        raise UserError("output_dir", folder, "holds a single run.", "A sweep has a folder of its own: name another.")


def check_sweep_has_jobs(jobs: Sequence[object], overrides: Sequence[str]) -> None:
    """Refuse a sweep without a job: one of its keys has no value, `seed=range(3,3)`.

    Raises:
        UserError: names the swept settings.
    """
    if not jobs:
        swept = [word for word in overrides if re.search(r"=(range|glob|choice|interval|sort|shuffle)\(", word)]
        problem = "has no value here, so that the sweep would have no job."
        raise UserError("override", " ".join(swept), problem, "range(3) is 0,1,2; glob() finds choices of a group.")
