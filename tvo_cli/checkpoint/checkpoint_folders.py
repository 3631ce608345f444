"""Checkpoint folders of a run: their names and order, the list of them, and what is loaded of one.

Tensors are safetensors, everything else JSON. They are written by checkpoint_writer.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint.checkpoint_writer import STATE
from tvo_cli.checkpoint.rows_to_load import RowsToLoad
from tvo_cli.checkpoint.safetensors_files import read_tensors
from tvo_cli.checkpoint.shard_files import files_by_part
from tvo_cli.checkpoint.tensor_slice import HeldTensor

NAME = re.compile(r"step-(\d+)(?:-update-(\d+))?")
WHOLE = RowsToLoad()


def checkpoint_name(step: int, position: int | None = None) -> str:
    """step-000010; between two updates of the batch after it, step-000010-update-003."""
    return f"step-{step:06d}" + ("" if position is None else f"-update-{position:03d}")


def checkpoint_position(folder: Path) -> tuple[int, int]:
    """Step and update of a checkpoint's folder, −1 between batches: their order is that of time."""
    found = NAME.fullmatch(folder.name)
    return (int(found[1]), int(found[2] or -1)) if found else (-1, -1)


def list_checkpoints(root: Path) -> list[Path]:
    """The checkpoints under root, oldest first; a link is none, wherever it leads."""
    folders = (path for path in root.glob("step-*") if NAME.fullmatch(path.name))
    return sorted((path for path in folders if path.is_dir() and not path.is_symlink()), key=checkpoint_position)


def load_checkpoint(folder: Path, rows: RowsToLoad = WHOLE) -> tuple[dict[str, dict[str, HeldTensor]], dict[str, Any]]:
    """Tensors by part, and the state, of a checkpoint; of sharded parameters the rows that are held here.

    Raises:
        UserError: the files of its slices are not the whole of a tensor, once.
    """
    parts = {part: read_tensors(files, partial(rows.wanted, part)) for part, files in files_by_part(folder).items()}
    return parts, read_stored_state(folder)


def read_stored_state(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint, without its tensors."""
    state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return state


def score_of_stored_policy(folder: Path) -> float | None:
    """How good the policy between two batches was when it was saved; None where nobody knows."""
    if checkpoint_position(folder)[1] >= 0:
        return None
    try:
        found = read_stored_state(folder)["counters"]["score"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if found is None else float(found)


def newest_up_to(folders: Sequence[Path], step: int) -> list[Path]:
    """The newest of these checkpoint folders, oldest first, that lies between two batches and is not after a step."""
    positions = [(checkpoint_position(folder), folder) for folder in folders]
    return [folder for (at, update), folder in positions if update < 0 and at <= step][-1:]
