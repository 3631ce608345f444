"""The folder of a run before its first step: files of an earlier run set aside, settings recorded, the W&B id back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.tracking import run_folder
from tvo_cli.tracking.mirrors import wandb_id
from tvo_cli.training.resume.recorded_settings import record_settings, resume_settings
from tvo_cli.training.resume.resume_compatibility import are_recorded_settings_other

OF_THE_RUN = (
    *(
        "checkpoints",
        "recorder",
        "profile",
        "responses",
        "tensorboard",
        "metrics.jsonl",
        "summary.json",
        "collapse.json",
    ),
    wandb_id.WANDB_ID_FILE,
)


def prepare_run_folder(folder: Path, config: Any) -> None:
    """Record the settings that its checkpoints belong to; resume=never sets the files of an earlier run aside.

    Beside checkpoints of other settings they are recorded with the first checkpoint that is made under them.
    """
    root, settings = folder / "checkpoints", resume_settings(config)
    if str(config.resume.mode) == "never":
        _set_earlier_run_aside(folder)
    root.mkdir(parents=True, exist_ok=True)
    record_settings(root, settings, at_once=not are_recorded_settings_other(root, settings))
    wandb_id.restore_wandb_id(folder, _wandb_id_in_newest_checkpoint(folder))


def _set_earlier_run_aside(folder: Path) -> None:
    """Rename the files of an earlier run in the folder; nothing is deleted."""
    for name in OF_THE_RUN:
        run_folder.set_aside_earlier_run(folder / name, f"before-{datetime.now():%m%d-%H%M%S}")


def _wandb_id_in_newest_checkpoint(folder: Path) -> str | None:
    """The W&B id to resume with, of a run folder that was copied without it: the newest checkpoint's."""
    held = checkpoint_folders.list_checkpoints(folder / "checkpoints")
    try:
        return str(checkpoint_folders.read_stored_state(held[-1])["identity"]["wandb"]) if held else None
    except (OSError, ValueError, KeyError):
        return None
