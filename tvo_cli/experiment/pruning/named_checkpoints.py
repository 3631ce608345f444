"""The checkpoints that the runs below a folder name: any value of a configuration may be a path at or into one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.model.adapters.adapter_folder import BASE
from tvo_cli.model.model_files.policy_checkpoint import CHECKPOINTS, POLICY
from tvo_cli.report.run_folder_reading import parse_run_config, read_run_json
from tvo_cli.report.run_listing import run_folders
from tvo_cli.tracking import run_status

RECORDS = ("resume/experiment.json", "variance.json", "evaluation.json")  # of commands, beside config.yaml
SEPARATORS = re.compile(r"[\s=,;:\[\]{}()'\"]+")  # around a path in an override, a list or an estimator's own words


def checkpoints_named_by_runs(root: Path) -> dict[Path, Path]:
    """Checkpoints that a run below a folder starts from, evaluates, samples with, or whose adapter stands beside.

    Each with the run that names it, or with the sweep of a job that waits. A relative path stands as it is, for nobody
    knows the folder that a command was given in; besides, as it is read from here.
    """
    found: dict[Path, Path] = {}
    runs = list(run_folders(root))
    for folder in runs:
        for checkpoint in _checkpoints_named_by_run(folder):
            found.setdefault(checkpoint, folder)
    for sweep in dict.fromkeys((root, *(folder.parent for folder in runs))):
        for text in _texts(_record_of_folder(sweep, run_status.SWEEP_INDEX)):
            for checkpoint in _checkpoints_in_text(text):
                found.setdefault(checkpoint, sweep)
    return found


def run_that_names(checkpoint: Path, named: Mapping[Path, Path]) -> Path | None:
    """The run that names a checkpoint, if one does; a relative path means every one that ends so."""
    own = checkpoint.resolve().parts
    return next((run for path, run in named.items() if own[-len(parts := _below_parents(path)) :] == parts), None)


def config_of_run(folder: Path) -> Mapping[str, Any]:
    """The recorded config of a run; empty where there is none.

    Raises:
        UserError: there is one that cannot be read.
    """
    return _parse_record(folder / "config.yaml", parse_run_config) or {}


def _checkpoints_named_by_run(folder: Path) -> Iterator[Path]:
    config = config_of_run(folder)
    yield from _checkpoints_chosen_of_runs(config.get("model") or {})
    for text in _texts((config, run_status.read_status(folder).get("overrides"), *_records_of_run(folder))):
        yield from _checkpoints_in_text(text)
    for file in (folder / CHECKPOINTS).glob(f"step-*/{POLICY}/{BASE}"):
        yield from _checkpoints_in_text(str(read_run_json(file).get("path", "")))


def _records_of_run(folder: Path) -> Iterator[Any]:
    """What a run has on record besides its config."""
    return (_record_of_folder(folder, name) for name in RECORDS)


def _record_of_folder(folder: Path, name: str) -> Any:
    """A JSON file of a run or a sweep; None where there is none."""
    return _parse_record(folder / name, json.loads)


def _parse_record(file: Path, parse: Callable[[str], Any]) -> Any:
    """What a file of a run or a sweep says; None where there is none.

    Raises:
        UserError: it cannot be read, so nobody knows which checkpoints its run needs.
    """
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        problem = "cannot be read, so which checkpoints its run needs is not known."
        raise UserError("DIR", file, problem, "Mend it, or move the run elsewhere.") from error


def _texts(tree: Any) -> Iterator[str]:
    """Every text in a tree of settings."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value)


def _checkpoints_chosen_of_runs(model: Mapping[str, Any]) -> Iterator[Path]:
    """What model.checkpoint=step-… means of the run folders that a model names; last and best stay in any case."""
    for path in (str(model[key]) for key in ("path", "base") if model.get(key)):
        yield _path_without_links(path) / CHECKPOINTS / str(model.get("checkpoint") or "last")


def _checkpoints_in_text(text: str) -> Iterator[Path]:
    """The checkpoints that a setting, or a path in it, is or lies in."""
    for path in dict.fromkeys((text, *SEPARATORS.split(text))):
        if "/" in path or checkpoint_folders.NAME.search(path):
            yield from _checkpoint_of_path(_path_without_links(path))
            yield from _checkpoint_of_path(_path_without_links(str(Path.cwd() / path)))


def _checkpoint_of_path(place: Path) -> Iterator[Path]:
    """The checkpoint that a path is, or lies in."""
    yield from (one for one in (place, *place.parents) if checkpoint_folders.NAME.fullmatch(one.name))


def _path_without_links(path: str) -> Path:
    """A path without links; a relative one as it is."""
    place = Path(os.path.normpath(Path(path).expanduser()))
    return place.resolve() if place.is_absolute() else place


def _below_parents(path: Path) -> tuple[str, ...]:
    """The parts of a pruned folder's path below its leading `..`."""
    return tuple(part for part in path.parts if part != "..")
