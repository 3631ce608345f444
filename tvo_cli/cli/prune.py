"""`tvo prune`: checkpoints and resume tensors that nothing needs any more."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvo_cli import escaping
from tvo_cli.byte_sizes import format_bytes
from tvo_cli.cli.override_args import Debug

if TYPE_CHECKING:
    from tvo_cli.experiment.pruning.prune_runs import PrunableRun

LONGER = "Finished runs keep their policies; no step can be added to them afterwards. Recorded steps stay."


def add_to(app: typer.Typer) -> None:
    """Register `tvo prune`."""
    app.command("prune")(prune)


def prune(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run, a sweep, or all of outputs/")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it they are only listed.")] = False,
    debug: Debug = False,
) -> None:
    """List, and with --yes delete, what no resume, evaluation, comparison or replay of the runs below DIR needs.

    Of a finished run the last policy stays, the best, those of trainer.keep_every, and those that another run below
    DIR names. The resume tensors go, so that no step can be added to it. Of any other run only what a kill left half
    done goes; a run that is running is passed over. Runs outside DIR are not asked which checkpoint they name.
    """
    from tvo_cli.experiment.pruning.runs_with_checkpoints import runs_with_checkpoints

    if not runs_with_checkpoints(folder):
        print(f"no runs with checkpoints in {escaping.terminal(folder)}")
        return
    from tvo_cli.experiment.pruning import prune_runs  # and torch, which reads what checkpoints hold
    from tvo_cli.experiment.pruning.named_checkpoints import checkpoints_named_by_runs

    runs = prune_runs.prunable_runs(folder)
    if not yes:
        _print_plan(folder, runs)
        return
    named, removed = checkpoints_named_by_runs(folder), 0
    for run in runs:
        done = prune_runs.prune_run(run.folder, named)
        removed += sum(removal.bytes for removal in done or ())
        if done is None:
            print(f"{escaping.terminal(run.folder)}: running; nothing was touched", flush=True)
        elif done:
            size = format_bytes(sum(removal.bytes for removal in done))
            print(f"{escaping.terminal(run.folder)}: {size} deleted", flush=True)
    print(f"{format_bytes(removed)} deleted")


def _print_plan(root: Path, runs: list[PrunableRun]) -> None:
    """Print each thing to delete with its bytes, the runs that are passed over, and the sum."""
    from tvo_cli.cli import printing

    found = [removal for run in runs for removal in run.removals]
    if found:
        rows = [[_shown_path(root, one.path), one.kind, format_bytes(one.bytes)] for one in found]
        printing.print_table(("path", "what goes", "size"), rows)
    for run in runs:
        if run.running:
            print(f"{escaping.terminal(run.folder)}: running; passed over")
        for checkpoint, other in run.named.items():
            print(escaping.terminal(f"{_shown_path(root, checkpoint)}: stays; {other} names it"))
    print(f"{format_bytes(sum(one.bytes for one in found))} in all")
    if found:
        print(f"{LONGER}\nNothing was deleted. To delete: tvo prune {escaping.terminal(shlex.quote(str(root)))} --yes")


def _shown_path(root: Path, path: Path) -> str:
    """Return a path as `tvo prune` lists it, below the folder that it was given."""
    return str(path.relative_to(root))
