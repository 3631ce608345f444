"""What can be deleted below a checkpoints folder: whole checkpoints, their resume tensors, what a kill left over."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tvo_cli.checkpoint import store
from tvo_cli.checkpoint.policy_only import drop_resume_tensors, resume_tensor_bytes

CHECKPOINT, RESUME, LEFTOVER = "checkpoint", "resume tensors", "leftover"


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing to delete, and the bytes of its files."""

    path: Path
    kind: str  # CHECKPOINT, RESUME or LEFTOVER
    bytes: int

    def apply(self) -> None:
        """Delete it; a process that is killed meanwhile leaves a leftover, and no half checkpoint."""
        if self.kind == RESUME:
            drop_resume_tensors(self.path)
        elif self.kind == CHECKPOINT:
            store.remove_checkpoint(self.path)
        else:
            shutil.rmtree(self.path)


def finished_removals(root: Path, kept: Collection[Path]) -> Iterator[Removal]:
    """Of a finished run: the resume tensors of the kept checkpoints, every other checkpoint, and leftovers."""
    for folder in store.list_checkpoints(root):
        if folder not in kept:
            yield Removal(folder, CHECKPOINT, folder_bytes(folder))
        elif size := resume_tensor_bytes(folder):
            yield Removal(folder, RESUME, size)
    yield from leftover_removals(root)


def leftover_removals(root: Path) -> Iterator[Removal]:
    """What killed processes left half-written or half-removed; a whole checkpoint that stepped aside is none."""
    for folder in store.list_leftovers(root):
        yield Removal(folder, LEFTOVER, folder_bytes(folder))


def steps_apart(root: Path, every_steps: int) -> set[Path]:
    """The checkpoints that trainer.keep_every asks to keep."""
    return {one for one in store.list_checkpoints(root) if store.is_kept_apart(one, every_steps)}


def folder_bytes(folder: Path) -> int:
    """Bytes of the files below a folder; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())
