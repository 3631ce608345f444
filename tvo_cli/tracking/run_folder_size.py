"""The disk that a run folder holds already, and what is free beside it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

CHECKPOINTS = ("checkpoints",)
COUNTED = (*CHECKPOINTS, "recorder")  # folders of a run whose size a dry run predicts


def free_disk(path: Path) -> tuple[Path, int]:
    """Return the folder nearest to a path that exists, and the bytes that are free in it."""
    absolute = path.absolute()
    place = next(one for one in (absolute, *absolute.parents) if one.is_dir())
    return place, shutil.disk_usage(place).free


def disk_held_by_run(folder: Path, counted: Sequence[str] = COUNTED) -> int:
    """Return the bytes of disk that a run's checkpoints and recorded steps hold already."""
    files = (file for name in counted for file in (folder / name).rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_file())
