"""A run of a command in its folder: what state.json says of it, and what a run that was refused leaves behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import redaction
from tvo_cli.errors import UserError
from tvo_cli.job import failure_description
from tvo_cli.parallel.rank_lost import RankLost
from tvo_cli.sweep.job_fingerprint import fingerprint_of_job
from tvo_cli.tracking import run_status
from tvo_cli.tracking.run_folder import remove_empty_run_folder

if TYPE_CHECKING:
    from omegaconf import DictConfig

FILES_BEFORE_FIRST_STEP = (
    *("config.yaml", "command.txt", "versions.json", "run.log", "metrics.jsonl", "mirrored.json", "wandb_id.txt"),
    "checkpoints/experiment.json",
)  # what a run writes before its first step
FILES_AFTER_FIRST_STEP = (
    "responses",
    "recorder",
    "responses.jsonl",
    "summary.json",
    "collapse.json",
    "job.log",
)  # and with or after it
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


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refused = run_folder_error(error)
        raise refused from (None if refused is error else error)


def run_folder_error(error: OSError) -> BaseException:
    """Return the UserError for a run folder that cannot be made."""
    if error.filename is None:
        return error
    remedy = "Name another folder: output_dir=…"
    return UserError("output_dir", error.filename, f"cannot be made: {error.strerror}.", remedy)


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


def remove_refused_run(folder: Path) -> None:
    """Remove what a refused run wrote into a new folder: no step was done, so nothing is lost.

    A folder with anything else than the first files of a run is left as it is.
    """
    rows = folder / "metrics.jsonl"
    begun = any((folder / name).exists() for name in FILES_AFTER_FIRST_STEP) or any(folder.glob("checkpoints/*/"))
    if begun or (rows.is_file() and rows.stat().st_size):
        return
    for path in (*(folder / name for name in FILES_BEFORE_FIRST_STEP), *folder.glob("rank-*.log")):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        (folder / "checkpoints").rmdir()
    for name in ("wandb", "tensorboard", "own_code"):  # mirrors and copies of nothing
        shutil.rmtree(folder / name, ignore_errors=True)


def remove_folder_without_run(folder: Path) -> None:
    """Remove the folders that were made for a job which wrote nothing of its own: run, experiment, outputs."""
    if [path.name for path in folder.glob("*")] == [run_status.STATUS_FILE] and not run_status.is_running(folder):
        (folder / run_status.STATUS_FILE).unlink()
    remove_empty_run_folder(folder)
