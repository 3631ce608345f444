"""The W&B id of a run: made once, kept in the run folder, given back to a folder that was copied without it."""

from __future__ import annotations

import secrets
from pathlib import Path

from tvo_cli.tracking.atomic_files import write_text_atomically

WANDB_ID_FILE = "wandb_id.txt"


def read_wandb_id(folder: Path) -> str | None:
    """Return the run's W&B id; None where it has none yet."""
    place = folder / WANDB_ID_FILE
    return place.read_text(encoding="utf-8").strip() if place.is_file() else None


def wandb_run_id(folder: Path) -> str:
    """Return the run's W&B id, made if there is none, so that a resumed run goes on there."""
    found = read_wandb_id(folder)
    if found is None:
        found = secrets.token_hex(4)
        write_text_atomically(folder / WANDB_ID_FILE, found + "\n")
    return found


def restore_wandb_id(folder: Path, kept: str | None) -> None:
    """Write the id that a checkpoint kept into a run folder that has none."""
    if kept is not None and not (folder / WANDB_ID_FILE).exists():
        write_text_atomically(folder / WANDB_ID_FILE, kept + "\n")
