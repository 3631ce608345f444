"""Pruning of checkpoints: which a run keeps, what `tvo prune` may delete, and what a killed process has left over."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tvo_cli.checkpoint.checkpoint_damage import find_damage, newest_whole_checkpoint
from tvo_cli.checkpoint.checkpoint_folders import (
    checkpoint_position,
    list_checkpoints,
    newest_up_to,
    score_of_stored_policy,
)
from tvo_cli.checkpoint.policy_only import drop_resume_tensors, resume_tensor_bytes

CHECKPOINT, RESUME, LEFTOVER = "checkpoint", "resume tensors", "leftover"


def prune_checkpoints(
    root: Path,
    keep: int,
    *,
    saved: Path | None = None,
    every_steps: int = 0,
    best: bool = False,
    healthy: Collection[int] = (),
) -> None:
    """Leave the newest `keep`, those after every `every_steps` batches, the best, and the last healthy ones.

    `healthy`: steps of policies that must be there as they were, or one before each.

    One that is whole is always among them: `saved`, which was just written, else the newest whole one. What is
    newer than that is damaged, and does not count.
    """
    folders, whole = list_checkpoints(root), saved or newest_whole_checkpoint(root, lambda damage: None)
    sound = [one for one in folders if whole is None or checkpoint_position(one) <= checkpoint_position(whole)]
    kept = set(sound[-max(keep, 1) :])
    kept |= {one for step in healthy for one in newest_up_to(folders, step)}
    if every_steps:
        kept |= {folder for folder in folders if is_kept_apart(folder, every_steps)}
    scored = [
        (found, checkpoint_position(folder), folder)
        for folder in folders
        if (found := score_of_stored_policy(folder)) is not None
    ]
    if best and scored:
        kept.add(max(scored)[-1])
    for folder in folders:
        if folder not in kept:
            remove_checkpoint(folder)
    remove_leftovers(root)


def is_kept_apart(folder: Path, every_steps: int) -> bool:
    """Whether a checkpoint follows every `every_steps`-th batch; 0: none does."""
    step, update = checkpoint_position(folder)
    return every_steps > 0 and update < 0 and step % every_steps == 0


def remove_leftovers(root: Path) -> None:
    """Remove what a killed process left of stored checkpoints, half-written or half-removed; put back a whole one."""
    for leftover in list_leftovers(root):
        shutil.rmtree(leftover, ignore_errors=True)
    for aside in root.glob(".step-*.old"):
        if _is_whole_aside(aside):
            aside.rename(_home_of_leftover(aside))


def list_leftovers(root: Path) -> list[Path]:
    """List stored checkpoints that a killed process left half-written or half-removed, besides one that is whole."""
    return sorted(one for one in root.glob(".step-*") if not _is_whole_aside(one))


def _is_whole_aside(leftover: Path) -> bool:
    """Whether a leftover of a killed process is a whole checkpoint, set aside for one that never came: it is kept."""
    return leftover.suffix == ".old" and not _home_of_leftover(leftover).exists() and not find_damage(leftover)


def _home_of_leftover(leftover: Path) -> Path:
    """The checkpoint folder whose half-written or half-removed leftover this is."""
    return leftover.with_name(leftover.stem.removeprefix("."))


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; killed half-way, what is left carries no checkpoint's name."""
    aside = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(aside, ignore_errors=True)  # of a removal that did not end
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


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
            remove_checkpoint(self.path)
        else:
            shutil.rmtree(self.path)


def finished_removals(root: Path, kept: Collection[Path]) -> Iterator[Removal]:
    """Of a finished run: the resume tensors of the kept checkpoints, every other checkpoint, and leftovers."""
    for folder in list_checkpoints(root):
        if folder not in kept:
            yield Removal(folder, CHECKPOINT, folder_bytes(folder))
        elif size := resume_tensor_bytes(folder):
            yield Removal(folder, RESUME, size)
    yield from leftover_removals(root)


def leftover_removals(root: Path) -> Iterator[Removal]:
    """What killed processes left half-written or half-removed; a whole checkpoint that stepped aside is none."""
    for folder in list_leftovers(root):
        yield Removal(folder, LEFTOVER, folder_bytes(folder))


def steps_apart(root: Path, every_steps: int) -> set[Path]:
    """The checkpoints that trainer.keep_every asks to keep."""
    return {one for one in list_checkpoints(root) if is_kept_apart(one, every_steps)}


def folder_bytes(folder: Path) -> int:
    """Bytes of the files below a folder; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())
