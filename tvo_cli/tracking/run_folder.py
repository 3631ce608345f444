"""The run folder: config.yaml, command.txt, versions.json and own code of a run; removal of empty and refused ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.errors import UserError
from tvo_cli.tracking import run_status
from tvo_cli.tracking.atomic_files import (
    names_in_folder,
    remove_unfinished_files,
    write_json_atomically,
    write_text_atomically,
)
from tvo_cli.tracking.own_code_copies import copy_own_code
from tvo_cli.tracking.software_versions import software_versions

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


def set_aside_earlier_run(path: Path, mark: str) -> None:
    """Rename a file or folder of an earlier run: summary.json to summary-MARK.json."""
    if path.exists():
        path.replace(path.with_name(f"{path.stem}-{mark}{path.suffix}"))


def describe_run(folder: Path, config: Any, command: str, environment: Mapping[str, Any] | None = None) -> None:
    """Write config.yaml (resolved, secrets redacted), command.txt, versions.json and copies of own code."""
    from tvo_cli.config.yaml_text import to_yaml

    tree = redaction.redacted(configuration.resolved_tree(config))
    write_text_atomically(folder / "config.yaml", to_yaml(tree))
    write_text_atomically(folder / "command.txt", command + "\n")
    copy_own_code(folder, config)
    where = {} if environment is None else {"environment": dict(environment)}
    write_json_atomically(
        folder / "versions.json",
        software_versions() | {"fingerprint": configuration.config_fingerprint(config)} | where,
    )


def remove_empty_run_folder(folder: Path) -> None:
    """Remove a run folder and the two above it, as far as they are empty; never the working folder."""
    for place in (folder, *list(folder.parents)[:2]):
        if place == Path.cwd() or place in Path.cwd().parents:
            return
        try:
            place.rmdir()
        except OSError:
            return


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
    if names_in_folder(folder) == {run_status.STATUS_FILE} and not run_status.is_running(folder):
        (folder / run_status.STATUS_FILE).unlink()
        remove_unfinished_files(folder)
    remove_empty_run_folder(folder)


def run_folder_error(error: OSError) -> BaseException:
    """Return the UserError for a run folder that cannot be made."""
    if error.filename is None:
        return error
    remedy = "Name another folder: output_dir=…"
    return UserError("output_dir", error.filename, f"cannot be made: {error.strerror}.", remedy)
