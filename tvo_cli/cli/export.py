"""`tvo export`: the policy of a run as a hub folder, and to the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import Debug
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory


def add_to(app: typer.Typer) -> None:
    """Register `tvo export`."""
    app.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder of tvo train.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    merge: Annotated[bool, typer.Option("--merge", help="Merge a run's adapter into its base.")] = False,
    checkpoint: Annotated[str, typer.Option("--checkpoint", help="last, best or step-…")] = "last",
    push: Annotated[str, typer.Option("--push", metavar="OWNER/NAME", help="Upload it to the hub; new: private.")] = "",
    public: Annotated[bool, typer.Option("--public", help="Upload it also to what is public already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List files, bytes and repository; keep nothing.")] = False,
    debug: Debug = False,
) -> None:
    """Write the policy of a run in the hub's format, with its card and its base's licence; --push uploads it.

    Without --merge a run with an adapter gives an adapter's folder in peft's format.
    """
    from tvo_cli.cli.startup_message import announce_on_stderr
    from tvo_cli.experiment.run_of_policy import config_of_training_run

    if public and not push:
        raise UserError("--public", "", "says where to upload, and nothing is uploaded.", "Add --push OWNER/NAME.")
    config_of_training_run(run)  # what is no run is refused before torch is loaded
    announce_on_stderr("tvo export", f"loading torch, transformers and {run}")
    from tvo_cli.cli.progress_bars import hide_transformers_progress_bars
    from tvo_cli.experiment import export_policy as exporting

    hide_transformers_progress_bars()
    if push:
        (exporting.check_repository_name if dry_run else exporting.check_push)(push)
    if dry_run:
        _print_dry_run(run, out, checkpoint, push, merge=merge)
        return
    if push and not public:
        exporting.check_not_public(push)
    _print_exported_files(out, exporting.export_policy(run, out, checkpoint=checkpoint, merge=merge))
    if push:
        exporting.push_folder(out, push, public=public)
        print(f"uploaded to {escaping.terminal(push)}")


def _print_dry_run(run: Path, out: Path, checkpoint: str, push: str, *, merge: bool) -> None:
    """Make the folder elsewhere, list it, and leave nothing of it."""
    from tvo_cli.experiment import export_policy as exporting

    with _draft_folder(run, out) as draft:
        place = Path(draft) / (out.name or "policy")
        _print_exported_files(place, exporting.export_policy(run, place, checkpoint=checkpoint, merge=merge), shown=out)
    target = f"{escaping.terminal(out)}" + (f" and the hub's {escaping.terminal(push)}" if push else "")
    print(f"It would go to {target}. Nothing was kept or uploaded.")


def _draft_folder(run: Path, out: Path) -> TemporaryDirectory[str]:
    """A folder that goes again: in the run, whose disk has held such files, beside OUT, or among temporary ones.

    The first that can be written: a run may be somebody else's, or on a disk that is only read.
    """
    import tempfile

    near = next((place for place in out.absolute().parents if place.is_dir()), None)
    for place in (run, near):
        try:
            return tempfile.TemporaryDirectory(dir=place, prefix=".export-")
        except OSError:
            continue
    try:
        return tempfile.TemporaryDirectory(prefix="tvo-export-")
    except OSError as error:
        problem = f"no folder can be made to list the files from ({error.strerror})."
        raise UserError("--dry-run", out, problem, "Set TMPDIR to a folder that can be written.") from error


def _print_exported_files(folder: Path, files: list[Path], shown: Path | None = None) -> None:
    """Print each file with its bytes, and the sum."""
    for file in files:
        print(f"{file.stat().st_size:>14,}  {escaping.terminal(file.relative_to(folder))}")
    total = sum(file.stat().st_size for file in files)
    print(f"{total:>14,}  bytes in {escaping.terminal(shown or folder)}")
