"""What `tvo prune` may delete of the runs below a folder, and its deletion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tvo_cli.checkpoint import checkpoint_folders, pruning
from tvo_cli.checkpoint.pruning import Removal
from tvo_cli.errors import UserError
from tvo_cli.experiment.pruning.named_checkpoints import checkpoints_named_by_runs, config_of_run, run_that_names
from tvo_cli.experiment.pruning.runs_with_checkpoints import runs_with_checkpoints
from tvo_cli.model.model_files.policy_checkpoint import CHECKPOINTS, resolve_policy_checkpoint
from tvo_cli.report.run_folder_reading import read_run_json
from tvo_cli.tracking import run_status

FINAL = (run_status.FINISHED, "")  # "": a run from before there was a status


@dataclass(frozen=True, slots=True)
class PrunableRun:
    """A run, and what nobody needs of it."""

    folder: Path
    running: bool
    finished: bool
    removals: Sequence[Removal]
    named: Mapping[Path, Path]  # checkpoints that stay for another run alone, and that run


def prunable_runs(root: Path) -> list[PrunableRun]:
    """The runs below a folder, itself included, that have checkpoints, each with what may be deleted.

    Raises:
        UserError: there is no such folder, or a run's or sweep's record in it cannot be read.
    """
    runs = runs_with_checkpoints(root)
    named = checkpoints_named_by_runs(root)
    return [_plan_run(folder, named) for folder in runs]


def prune_run(folder: Path, named: Mapping[Path, Path]) -> list[Removal] | None:
    """Delete what may be deleted of a run, decided anew while no process can begin in it; None: one runs there."""
    with run_status.status_lock(folder):
        now = _plan_run(folder, named)
        if now.running:
            return None
        for removal in now.removals:
            removal.apply()
    return list(now.removals)


def _plan_run(folder: Path, named: Mapping[Path, Path]) -> PrunableRun:
    root, running = folder / CHECKPOINTS, run_status.is_running(folder)
    finished = (folder / "summary.json").is_file() and run_status.status_of(folder)[0] in FINAL
    others: dict[Path, Path] = {}
    if running:
        removals: Iterator[Removal] = iter(())
    elif finished and (chosen := _kept_checkpoints(folder)):
        others = _kept_for_others(folder, chosen, named)
        removals = pruning.finished_removals(root, chosen | set(others))
    else:
        removals = pruning.leftover_removals(root)
    return PrunableRun(folder, running, finished, list(removals), others)


def _kept_checkpoints(folder: Path) -> set[Path]:
    """The last and the best policy, the last healthy one, those of trainer.keep_every.

    Empty where no policy is whole.
    """
    kept = set(_checkpoints_of_choice(folder, "last"))
    if not kept:
        return kept
    every = int((config_of_run(folder).get("trainer") or {}).get("keep_every") or 0)
    kept |= set(_checkpoints_of_choice(folder, "best")) | pruning.steps_apart(folder / CHECKPOINTS, every)
    return kept | _last_healthy_checkpoint(folder)


def _kept_for_others(folder: Path, kept: set[Path], named: Mapping[Path, Path]) -> dict[Path, Path]:
    """The checkpoints that would go, did not another run name them; each with that run."""
    found = {one: run_that_names(one, named) for one in _prunable_checkpoints(folder) if one not in kept}
    return {one: run for one, run in found.items() if run is not None}


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
