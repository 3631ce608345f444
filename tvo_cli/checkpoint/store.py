"""Checkpoint folders: saved whole or not at all, listed, checked for damage, loaded, pruned.

Written to a hidden folder, every file flushed, a manifest with sizes and sha256 last, then renamed; by several ranks
together, all or none. Tensors are safetensors, everything else JSON. The newest damaged one is passed over, with a
message, for the one before.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from tvo_cli.checkpoint.checkpoint_writer import (
    MANIFEST,
    STATE,
    CheckpointContents,
    bytes_to_store,
    check_free_space,
    rename_into_place,
    write_draft,
)
from tvo_cli.checkpoint.held_rows import HeldRows
from tvo_cli.checkpoint.rank_group import OneProcess, RankGroup, run_on_every_rank, run_on_first_rank
from tvo_cli.checkpoint.stored_tensors import files_by_part, read_tensors, shard_files_damage
from tvo_cli.checkpoint.tensor_slice import HeldParts, HeldTensor
from tvo_cli.file_digest import file_sha256

__all__ = ["MANIFEST", "STATE", "bytes_to_store", "check_free_space"]
NAME = re.compile(r"step-(\d+)(?:-update-(\d+))?")
ALONE, WHOLE = OneProcess(), HeldRows()


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


def save_checkpoint(
    folder: Path,
    *,
    tensors: HeldParts,
    state: Mapping[str, Any],
    policy: Callable[[Path], object] | None = None,
    policy_bytes: int = 0,
    ranks: RankGroup = ALONE,
) -> Path:
    """Write the folder; `policy` writes the model into the subfolder it is given.

    Of several ranks all call this. Each writes the slices that it owns; the state, the manifest and what every rank
    holds whole are rank 0's; `policy` is called on all, for they may have to put the model together.

    Raises:
        OSError: ENOSPC when there is not enough room, found out before anything is written, or any other; on all
            ranks where one fails. What was there before is untouched.
    """
    draft = write_draft(folder, CheckpointContents(tensors, state, policy, policy_bytes), ranks)
    run_on_first_rank(ranks, lambda: rename_into_place(draft, folder))
    return folder


def newest_whole_checkpoint(root: Path, report: Callable[[str], object], ranks: RankGroup = ALONE) -> Path | None:
    """The newest whole checkpoint under root; damaged ones are named in `report` and passed over."""
    names: list[str] = ranks.gather([folder.name for folder in list_checkpoints(root)], list[str])[0]
    for folder in (root / name for name in reversed(names)):
        damage = find_damage(folder, ranks)
        if not damage:
            return folder
        report(f"checkpoint {folder.name} is damaged ({damage}); using the one before it")
    return None


def find_damage(folder: Path, ranks: RankGroup = ALONE) -> str:
    """What is wrong with a checkpoint, or ""; each rank reads a share of the files."""
    found = run_on_every_rank(ranks, lambda: list(_own_damage(folder, ranks)), list[tuple[int, str]])
    return min((one for own in found for one in own), default=(0, ""))[1]


def _own_damage(folder: Path, ranks: RankGroup) -> list[tuple[int, str]]:
    """The first damage in a rank's share of the files, with its place in the manifest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {file: (int(entry["bytes"]), str(entry["sha256"])) for file, entry in manifest.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return [(-1, "no readable manifest")]
    if STATE not in files:
        return [(-1, f"its manifest has no {STATE}")]
    if damage := shard_files_damage(file for file in files if "/" not in file):
        return [(-1, f"its manifest is not complete: {damage}")]
    by_size = sorted(enumerate(files.items()), key=lambda one: -one[1][1][0])
    share = sorted(by_size[ranks.rank :: ranks.count])
    damages = ((place, _file_damage(folder, file, *expected)) for place, (file, expected) in share)
    return [one for one in damages if one[1]][:1]


def _file_damage(folder: Path, file: str, expected_bytes: int, sha256: str) -> str:
    """What is wrong with one file; a path that leads out of the folder is never opened."""
    path = folder / file
    if _leads_out_of_checkpoint(folder, file):
        return f"{file} leads out of the folder"
    if not path.is_file():
        return f"{file} is missing"
    if path.stat().st_size != expected_bytes or file_sha256(path) != sha256:
        return f"{file} differs from its manifest"
    return ""


def is_file_of_checkpoint(folder: Path, file: str) -> bool:
    """Whether a name of a manifest is that of a file inside the checkpoint."""
    return not _leads_out_of_checkpoint(folder, file) and (folder / file).is_file()


def _leads_out_of_checkpoint(folder: Path, file: str) -> bool:
    """Whether a name of a manifest is absolute, climbs, or passes a link."""
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        return True
    path = folder / file
    return any(part.is_symlink() for part in (path, *path.parents) if folder in part.parents)


def load_checkpoint(folder: Path, rows: HeldRows = WHOLE) -> tuple[dict[str, dict[str, HeldTensor]], dict[str, Any]]:
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
    kept = set(
        [one for one in folders if whole is None or checkpoint_position(one) <= checkpoint_position(whole)][
            -max(keep, 1) :
        ]
    )
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


def newest_up_to(folders: Sequence[Path], step: int) -> list[Path]:
    """The newest of these checkpoints, oldest first, that lies between two batches and is not after a step."""
    positions = [(checkpoint_position(folder), folder) for folder in folders]
    return [folder for (at, update), folder in positions if update < 0 and at <= step][-1:]


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
    """Whether it is a whole checkpoint that stepped aside for one that never came."""
    return leftover.suffix == ".old" and not _home_of_leftover(leftover).exists() and not find_damage(leftover)


def _home_of_leftover(leftover: Path) -> Path:
    """The checkpoint folder whose half-written or half-removed leftover this is."""
    return leftover.with_name(leftover.stem.removeprefix("."))


def score_of_stored_policy(folder: Path) -> float | None:
    """How good the policy between two batches was when it was saved; None where nobody knows."""
    if checkpoint_position(folder)[1] >= 0:
        return None
    try:
        found = read_stored_state(folder)["counters"]["score"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if found is None else float(found)


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; killed half-way, what is left carries no checkpoint's name."""
    aside = folder.with_name(f".{folder.name}.old")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
