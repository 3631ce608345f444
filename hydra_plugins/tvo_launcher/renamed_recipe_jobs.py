"""Jobs of a sweep whose recipe has lost its name to another: refused, not trained beside under the same name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvo_cli.sweep.sweep_index import SweepIndex

AUTO = "auto"  # a run records what it came to

if TYPE_CHECKING:
    from omegaconf import DictConfig


def check_same_recipe(index: SweepIndex, overrides: Sequence[str], fingerprint: str, config: DictConfig) -> None:
    """Refuse a job whose overrides are those of one that has trained, by the recipe that its name was then.

    Where a yaml or own code of the user's has changed, the job is another one and gets a folder of its own.

    Raises:
        UserError: names the job, the settings, and what goes on with it.
    """
    from tvo_cli.checkpoint import checkpoint_folders
    from tvo_cli.config import note_on_renamed_recipe
    from tvo_cli.config.schema import upgrade_recorded_settings
    from tvo_cli.errors import UserError
    from tvo_cli.training.resume.recorded_settings import recorded_settings, resume_settings
    from tvo_cli.training.resume.resume_compatibility import differing_settings, told_settings

    job = index.job_of_same_overrides(overrides, fingerprint)
    root = index.folder / job.folder / "checkpoints" if job else None
    if root is None or not checkpoint_folders.list_checkpoints(root) or str(config.resume.mode) == "never":
        return
    wanted = resume_settings(config)
    before = upgrade_recorded_settings(recorded_settings(root), wanted)
    differing = [key for key in differing_settings(before, wanted) if wanted.get(key) != AUTO]
    if note := note_on_renamed_recipe(before, differing, sweep=str(index.folder)):
        told = told_settings(differing, before, wanted)
        problem = f"holds a job of the same overrides with other settings: {told}."
        raise UserError("output_dir", root.parent, problem, f"{note}Or name another folder: output_dir=…")
