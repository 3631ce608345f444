"""What `tvo prune` may delete of the runs below a folder, and its deletion."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import checkpoint_folders, pruning
from tvo_cli.checkpoint.pruning import Removal
from tvo_cli.errors import UserError
from tvo_cli.experiment.runs_with_checkpoints import runs_with_checkpoints
from tvo_cli.model.adapters.adapter_folder import BASE
from tvo_cli.model.model_files.policy_checkpoint import CHECKPOINTS, POLICY, resolve_policy_checkpoint
from tvo_cli.report.run_folder_reading import parse_run_config, read_run_json
from tvo_cli.report.run_listing import run_folders
from tvo_cli.tracking import run_status

FINAL = (run_status.FINISHED, "")  # "": a run from before there was a status


@dataclass(frozen=True, slots=True)
class PrunableRun:
    """A run, and what nobody needs of it."""

    folder: Path
    running: bool
    finished: bool
    removals: Sequence[Removal]


def prunable_runs(root: Path) -> list[PrunableRun]:
    """The runs below a folder, itself included, that have checkpoints, each with what may be deleted.

    Raises:
        UserError: there is no such folder.
    """
    runs = runs_with_checkpoints(root)
    named = policies_named_by_runs(root)
    return [_plan_run(folder, named) for folder in runs]


def prune_run(folder: Path, named: set[Path]) -> list[Removal] | None:
    """Delete what may be deleted of a run, decided anew while no process can begin in it; None: one runs there."""
    with run_status.status_lock(folder):
        now = _plan_run(folder, named)
        if now.running:
            return None
        for removal in now.removals:
            removal.apply()
    return list(now.removals)


def policies_named_by_runs(root: Path) -> set[Path]:
    """Checkpoints that another run below a folder starts from, evaluates, or whose adapter stands beside."""
    found: set[Path] = set()
    for folder in run_folders(root):
        model = _config_of_run(folder).get("model") or {}
        found.update(_named_checkpoints(model))
        for file in (folder / CHECKPOINTS).glob(f"step-*/{POLICY}/{BASE}"):
            found.update(_checkpoint_of_path(str(read_run_json(file).get("path", ""))))
    return found


def _plan_run(folder: Path, named: set[Path]) -> PrunableRun:
    root, running = folder / CHECKPOINTS, run_status.is_running(folder)
    finished = (folder / "summary.json").is_file() and run_status.status_of(folder)[0] in FINAL
    if running:
        removals: Iterator[Removal] = iter(())
    elif finished and (chosen := _kept_checkpoints(folder, named)):
        removals = pruning.finished_removals(root, chosen)
    else:
        removals = pruning.leftover_removals(root)
    return PrunableRun(folder, running, finished, list(removals))


def _kept_checkpoints(folder: Path, named: set[Path]) -> set[Path]:
    """The last and the best policy, the last healthy one, those of trainer.keep_every and of other runs.

    Empty where no policy is whole.
    """
    kept = set(_checkpoints_of_choice(folder, "last"))
    if not kept:
        return kept
    every = int((_config_of_run(folder).get("trainer") or {}).get("keep_every") or 0)
    kept |= set(_checkpoints_of_choice(folder, "best")) | pruning.steps_apart(folder / CHECKPOINTS, every)
    return (
        kept
        | _last_healthy_checkpoint(folder)
        | {one for one in _prunable_checkpoints(folder) if _is_checkpoint_named(one, named)}
    )


def _last_healthy_checkpoint(folder: Path) -> set[Path]:
    """The last healthy checkpoint before the first collapse, where the run had one."""
    step = read_run_json(folder / "collapse.json").get("last_healthy_policy")
    return set(checkpoint_folders.newest_up_to(_prunable_checkpoints(folder), step)) if isinstance(step, int) else set()


def _prunable_checkpoints(folder: Path) -> list[Path]:
    return checkpoint_folders.list_checkpoints(folder / CHECKPOINTS)


def _checkpoints_of_choice(folder: Path, choice: str) -> Iterator[Path]:
    """The checkpoint that model.checkpoint=last or best means of a run, if there is one."""
    try:
        yield folder / CHECKPOINTS / Path(resolve_policy_checkpoint(str(folder), choice)).parent.name
    except UserError:
        return


def _named_checkpoints(model: Mapping[str, Any]) -> Iterator[Path]:
    """The checkpoints that a config's model names by their own name; last and best stay in any case."""
    for path in (str(model[key]) for key in ("path", "base") if model.get(key)):
        yield from _checkpoint_of_path(path)
        yield _path_without_links(path) / CHECKPOINTS / str(model.get("checkpoint") or "last")


def _checkpoint_of_path(path: str) -> Iterator[Path]:
    """The checkpoint that a path is, or lies in."""
    place = _path_without_links(path)
    yield from (one for one in (place, *place.parents) if checkpoint_folders.NAME.fullmatch(one.name))


def _path_without_links(path: str) -> Path:
    """A path without links; a relative one as it is, for nobody knows the folder that a command was given in."""
    place = Path(os.path.normpath(Path(path).expanduser()))
    return place.resolve() if place.is_absolute() else place


def _is_checkpoint_named(folder: Path, named: set[Path]) -> bool:
    """Whether a checkpoint is one of these; a relative path means every one that ends so."""
    own = folder.resolve().parts
    return any(own[-len(parts) :] == parts for parts in (_below_parents(one) for one in named))


def _below_parents(path: Path) -> tuple[str, ...]:
    """The parts of a pruned folder's path below its leading `..`."""
    return tuple(part for part in path.parts if part != "..")


def _config_of_run(folder: Path) -> Mapping[str, Any]:
    """The recorded config of a run that is to be pruned; empty where it cannot be read."""
    try:
        return parse_run_config((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
