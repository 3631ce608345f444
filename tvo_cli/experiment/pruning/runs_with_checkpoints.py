"""The runs below a folder that have checkpoints, found without torch."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.model.model_files.policy_checkpoint import CHECKPOINTS
from tvo_cli.report.run_listing import run_folders


def runs_with_checkpoints(root: Path) -> list[Path]:
    """The folders of runs below a folder, itself included, that have checkpoints; none behind a link.

    Raises:
        UserError: there is no such folder.
    """
    if not root.is_dir():
        raise UserError("DIR", root, "there is no such folder.", "Give a run, a sweep, or outputs/.")
    return sorted(folder for folder in run_folders(root, links=False) if _has_checkpoints(folder / CHECKPOINTS))


def _has_checkpoints(root: Path) -> bool:
    """Whether there is a folder of checkpoints; what a link leads to belongs to somebody else."""
    return root.is_dir() and not root.is_symlink()
