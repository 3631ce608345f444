"""A run of a command in its folder: what state.json says of it, and how it ends where it was refused."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import redaction
from tvo_cli.config import split_override
from tvo_cli.errors import UserError
from tvo_cli.job import failure_description
from tvo_cli.parallel.rank_lost import RankLost
from tvo_cli.sweep.job_fingerprint import fingerprint_of_job
from tvo_cli.tracking import run_status
from tvo_cli.tracking.atomic_files import names_in_folder
from tvo_cli.tracking.command_of_folder import check_folder_is_of_command
from tvo_cli.tracking.run_folder import (
    remove_folder_without_run,
    remove_refused_run,
    run_folder_error,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger("tvo")
Task = Callable[["DictConfig"], Any]


def run_in_folder(task: Task, config: DictConfig, command: str, overrides: Sequence[str]) -> Any:
    """Run a task in its config's output_dir; state.json says that it runs and how it ended. Return what it returns.

    A run that is refused before its first step leaves no new folder behind. Where nobody named the folder and another
    process runs in it, which began in the same second, output_dir and run_name of the config get a number.
    """
    running = ExitStack()
    heartbeat, fresh = _enter_folder(running, config, command, overrides)
    folder = Path(config.output_dir)
    try:
        with running:
            return _run_and_write_end(task, config, heartbeat)
    except BaseException as error:
        _, code = failure_description.describe_failure(error)
        refused = code == failure_description.USER_ERROR and not isinstance(error, RankLost)  # which names a log in it
        if refused and fresh:
            remove_refused_run(folder)
        remove_folder_without_run(folder)
        raise


def _enter_folder(
    running: ExitStack, config: DictConfig, command: str, overrides: Sequence[str]
) -> tuple[run_status.Heartbeat, bool]:
    """Begin in the folder of a run, or in the next one that is free; return its heartbeat, and whether it was empty."""
    named, renamed = Path(config.output_dir), _is_named_by_the_second(config, overrides)
    words, number = redaction.redacted_arguments(list(overrides)), 1
    while True:
        folder = Path(config.output_dir)
        _make_folder(folder, command)
        fresh = not names_in_folder(folder)
        heartbeat = run_status.Heartbeat(folder, fingerprint_of_job(config), command, words)
        try:
            running.enter_context(heartbeat)
        except run_status.FolderInUse:
            if not renamed:
                raise
            number += 1
            config.run_name = f"{named.name}-{number}"
            config.output_dir = str(named.with_name(config.run_name))
            continue
        if folder != named:
            log.warning("another run began in %s in the same second; this one is in %s", named, folder)
        return heartbeat, fresh


def _is_named_by_the_second(config: DictConfig, overrides: Sequence[str]) -> bool:
    """Whether a run has its folder from the moment of its start alone, and not from who started it."""
    from omegaconf import OmegaConf

    if {"output_dir", "run_name", "hydra.run.dir"} & {split_override(word)[0] for word in overrides}:
        return False
    named = str((OmegaConf.to_container(config, resolve=False) or {}).get("run_name"))  # type: ignore[union-attr]
    return "${now:" in named and Path(config.output_dir).name == str(config.run_name)


def check_folder_takes_run(folder: Path, command: str) -> None:
    """Refuse, before anything is written, a file, the folder of a sweep, and that of another command's run."""
    if (folder / run_status.SWEEP_INDEX).is_file():
        raise UserError("output_dir", folder, "holds a sweep.", "A run has a folder of its own: name another one.")
    there = next((place for place in (folder, *folder.parents) if place.exists()), None)
    if there is not None and not there.is_dir():
        raise run_folder_error(NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there)))
    check_folder_is_of_command(folder, command)


def _make_folder(folder: Path, command: str) -> None:
    """Make the folder that a run is about to begin in; one that cannot be made, or takes no such run, is refused."""
    check_folder_takes_run(folder, command)
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
