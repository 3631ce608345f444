"""A run of a command in its folder: what state.json says of it, and how it ends where it was refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import redaction
from tvo_cli.errors import UserError
from tvo_cli.job import failure_description
from tvo_cli.parallel.rank_lost import RankLost
from tvo_cli.sweep.job_fingerprint import fingerprint_of_job
from tvo_cli.tracking import run_status
from tvo_cli.tracking.run_folder import (
    remove_folder_without_run,
    remove_refused_run,
    run_folder_error,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

Task = Callable[["DictConfig"], Any]


def run_in_folder(task: Task, config: DictConfig, command: str, overrides: Sequence[str]) -> Any:
    """Run a task in its config's output_dir; state.json says that it runs and how it ended. Return what it returns.

    A run that is refused before its first step leaves no new folder behind.
    """
    folder = Path(config.output_dir)
    _make_folder(folder)
    fresh = not any(folder.glob("*"))
    try:
        words = redaction.redacted_arguments(list(overrides))
        with run_status.Heartbeat(folder, fingerprint_of_job(config), command, words) as heartbeat:
            return _run_and_write_end(task, config, heartbeat)
    except BaseException as error:
        _, code = failure_description.describe_failure(error)
        refused = code == failure_description.USER_ERROR and not isinstance(error, RankLost)  # which names a log in it
        if refused and fresh:
            remove_refused_run(folder)
        remove_folder_without_run(folder)
        raise


def check_run_folder(folder: Path) -> None:
    """Refuse a folder that no run can begin in: it is a sweep's, or a file is in its way; nothing is written."""
    if (folder / run_status.SWEEP_INDEX).is_file():
        raise UserError("output_dir", folder, "holds a sweep.", "A run has a folder of its own: name another one.")
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    if there is not None and not there.is_dir():
        raise run_folder_error(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there)))


def _make_folder(folder: Path) -> None:
    """Make the folder that a run is about to begin in; one that cannot be made, or is a sweep's, is refused."""
    check_run_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refused = run_folder_error(error)
        raise refused from (None if refused is error else error)


def _run_and_write_end(task: Task, config: DictConfig, heartbeat: run_status.Heartbeat) -> Any:
    """Run the task and write down how it ended."""
    try:
        found = task(config)
    except BaseException as error:
        text, code = failure_description.describe_failure(error)
        if code == failure_description.USER_ERROR and heartbeat.withdraw():  # a mistyped command changes no old run
            raise
        stopped = code in (failure_description.SAVED, failure_description.INTERRUPTED)
        heartbeat.end(run_status.INTERRUPTED if stopped else run_status.FAILED, code, text)
        raise
    heartbeat.end(run_status.FINISHED, 0)
    return found
