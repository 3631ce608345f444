"""Checkpoint folders: saved whole or not at all, listed, checked for damage, loaded, pruned.

Written to a hidden folder, every file flushed, a manifest with sizes and sha256 last, then renamed. Tensors
are safetensors, everything else JSON. The newest damaged one is passed over, with a message, for the one before.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from tvo_cli.file_digest import file_sha256

MANIFEST, STATE = "manifest.json", "state.json"
SLACK = 2**20  # bytes beyond the tensors: state, tokenizer, manifest, the file system's own
NAME = re.compile(r"step-(\d+)(?:-update-(\d+))?")

Parts = Mapping[str, Mapping[str, Tensor]]


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
    tensors: Parts,
    state: Mapping[str, Any],
    policy: Callable[[Path], object] | None = None,
    policy_bytes: int = 0,
) -> Path:
    """Write the folder; `policy` writes the model into the subfolder it is given.

    Raises:
        OSError: ENOSPC when there is not enough room, found out before anything is written, or any other; what
            was there before is untouched.
    """
    root, draft = folder.parent, folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True)
    check_free_space(root, bytes_to_store(tensors) + policy_bytes + SLACK)
    try:
        draft.mkdir()
        if policy is not None:
            policy(draft / "policy")
        for part, named in tensors.items():
            save_file({key: value.contiguous() for key, value in named.items()}, draft / f"{part}.safetensors")
        (draft / STATE).write_text(json.dumps(state, indent=1, default=str), encoding="utf-8")
        _write_manifest(draft)
    except Exception as error:
        shutil.rmtree(draft, ignore_errors=True)
        if "No space left" in str(error) and not isinstance(error, OSError):  # safetensors says it in text
            raise OSError(errno.ENOSPC, "No space left on device", str(folder)) from error
        raise
    rename_into_place(draft, folder)
    return folder


def bytes_to_store(tensors: Parts) -> int:
    """Bytes of a checkpoint's tensors."""
    return sum(value.numel() * value.element_size() for named in tensors.values() for value in named.values())


def check_free_space(root: Path, wanted: int) -> None:
    """Raise ENOSPC when fewer bytes are free than a checkpoint takes."""
    free = shutil.disk_usage(root).free
    if free < wanted:
        text = f"No space left on device: {wanted / 1e6:.1f} MB wanted, {free / 1e6:.1f} MB free"
        raise OSError(errno.ENOSPC, text, str(root))


def newest_whole_checkpoint(root: Path, report: Callable[[str], object]) -> Path | None:
    """The newest whole checkpoint under root; damaged ones are named in `report` and passed over."""
    for folder in reversed(list_checkpoints(root)):
        damage = find_damage(folder)
        if not damage:
            return folder
        report(f"checkpoint {folder.name} is damaged ({damage}); using the one before it")
    return None


def find_damage(folder: Path) -> str:
    """What is wrong with a checkpoint, or ""."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {file: (int(entry["bytes"]), str(entry["sha256"])) for file, entry in manifest.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return "no readable manifest"
    if STATE not in files:
        return f"its manifest has no {STATE}"
    return next(filter(None, (_file_damage(folder, file, *expected) for file, expected in files.items())), "")


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


def load_checkpoint(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Tensors by part, and the state, of a checkpoint."""
    parts = {path.stem: load_file(path) for path in sorted(folder.glob("*.safetensors"))}
    return parts, read_stored_state(folder)


def read_stored_state(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint, without its tensors."""
    state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return state


def prune_checkpoints(
    root: Path, keep: int, *, saved: Path | None = None, every_steps: int = 0, best: bool = False
) -> None:
    """Leave the newest `keep`, those after every `every_steps` batches, and the best.

    One that is whole is always among them: `saved`, which was just written, else the newest whole one. What is
    newer than that is damaged, and does not count.
    """
    folders, whole = list_checkpoints(root), saved or newest_whole_checkpoint(root, lambda damage: None)
    kept = set(
        [one for one in folders if whole is None or checkpoint_position(one) <= checkpoint_position(whole)][
            -max(keep, 1) :
        ]
    )
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
    """Remove checkpoints that a killed process left half-written or half-removed; put back a whole one."""
    for leftover in list_leftovers(root):
        shutil.rmtree(leftover, ignore_errors=True)
    for aside in root.glob(".step-*.old"):
        if _is_whole_aside(aside):
            aside.rename(_home_of_leftover(aside))


def list_leftovers(root: Path) -> list[Path]:
    """Checkpoints that a killed process left half-written or half-removed, besides one that is whole."""
    return sorted(one for one in root.glob(".step-*") if not _is_whole_aside(one))


def _is_whole_aside(leftover: Path) -> bool:
    """Whether it is a whole checkpoint that stepped aside for one that never came."""
    return leftover.suffix == ".old" and not _home_of_leftover(leftover).exists() and not find_damage(leftover)


def _home_of_leftover(leftover: Path) -> Path:
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


def _write_manifest(folder: Path) -> None:
    """Flush every file, write the manifest, flush it and the folders."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        _flush_to_disk(path)
    manifest = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in files
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in [folder / MANIFEST, *_folders_inside_out(folder)]:
        _flush_to_disk(path)


def _folders_inside_out(folder: Path) -> Iterator[Path]:
    """The folders of a checkpoint, inner ones first, itself last: the order to flush them in."""
    yield from sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    yield folder


def rename_into_place(draft: Path, folder: Path) -> None:
    """Rename into place; one of the same name (damaged, or without its score) steps aside first, is removed last."""
    aside = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    draft.rename(folder)
    _flush_to_disk(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; killed half-way, what is left carries no checkpoint's name."""
    aside = folder.with_name(f".{folder.name}.old")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
