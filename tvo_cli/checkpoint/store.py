"""Checkpoints: a folder that is whole or is not there.

Written to a hidden folder, every file flushed, a manifest with sizes and sha256 last, then renamed. Tensors
are safetensors, everything else JSON. The newest damaged one is passed over, with a message, for the one before.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

MANIFEST, STATE = "manifest.json", "state.json"
SLACK = 2**20  # bytes beyond the tensors: state, tokenizer, manifest, the file system's own
NAME = re.compile(r"step-(\d+)(?:-update-(\d+))?")

Parts = Mapping[str, Mapping[str, Tensor]]


def name(step: int, position: int | None = None) -> str:
    """step-000010; between two updates of the batch after it, step-000010-update-003."""
    return f"step-{step:06d}" + ("" if position is None else f"-update-{position:03d}")


def place(folder: Path) -> tuple[int, int]:
    """Step and update of a checkpoint's folder, −1 between batches: their order is that of time."""
    found = NAME.fullmatch(folder.name)
    return (int(found[1]), int(found[2] or -1)) if found else (-1, -1)


def every(root: Path) -> list[Path]:
    """The checkpoints under root, oldest first; a link is none, wherever it leads."""
    folders = (path for path in root.glob("step-*") if NAME.fullmatch(path.name))
    return sorted((path for path in folders if path.is_dir() and not path.is_symlink()), key=place)


def save(
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
    make_sure_of_room(root, size(tensors) + policy_bytes + SLACK)
    try:
        draft.mkdir()
        if policy is not None:
            policy(draft / "policy")
        for part, named in tensors.items():
            save_file({key: value.contiguous() for key, value in named.items()}, draft / f"{part}.safetensors")
        (draft / STATE).write_text(json.dumps(state, indent=1, default=str), encoding="utf-8")
        _seal(draft)
    except Exception as error:
        shutil.rmtree(draft, ignore_errors=True)
        if "No space left" in str(error) and not isinstance(error, OSError):  # safetensors says it in text
            raise OSError(errno.ENOSPC, "No space left on device", str(folder)) from error
        raise
    _put(draft, folder)
    return folder


def size(tensors: Parts) -> int:
    """Bytes of all tensors."""
    return sum(value.numel() * value.element_size() for named in tensors.values() for value in named.values())


def make_sure_of_room(root: Path, wanted: int) -> None:
    """Raise ENOSPC when fewer bytes are free than a checkpoint takes."""
    free = shutil.disk_usage(root).free
    if free < wanted:
        text = f"No space left on device: {wanted / 1e6:.1f} MB wanted, {free / 1e6:.1f} MB free"
        raise OSError(errno.ENOSPC, text, str(root))


def newest(root: Path, report: Callable[[str], object]) -> Path | None:
    """The newest whole checkpoint under root; damaged ones are named in `report` and passed over."""
    for folder in reversed(every(root)):
        damage = inspect(folder)
        if not damage:
            return folder
        report(f"checkpoint {folder.name} is damaged ({damage}); using the one before it")
    return None


def inspect(folder: Path) -> str:
    """What is wrong with a checkpoint, or ""."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {file: (int(entry["bytes"]), str(entry["sha256"])) for file, entry in manifest.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return "no readable manifest"
    if STATE not in files:
        return f"its manifest has no {STATE}"
    return next(filter(None, (_damage(folder, file, *expected) for file, expected in files.items())), "")


def _damage(folder: Path, file: str, expected_bytes: int, sha256: str) -> str:
    """What is wrong with one file; a path that leads out of the folder is never opened."""
    path = folder / file
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts or _is_behind_symlink(folder, path):
        return f"{file} leads out of the folder"
    if not path.is_file():
        return f"{file} is missing"
    if path.stat().st_size != expected_bytes or _sha256(path) != sha256:
        return f"{file} differs from its manifest"
    return ""


def _is_behind_symlink(folder: Path, path: Path) -> bool:
    return any(part.is_symlink() for part in (path, *path.parents) if folder in part.parents)


def load(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Tensors by part, and the state."""
    parts = {path.stem: load_file(path) for path in sorted(folder.glob("*.safetensors"))}
    return parts, read_state(folder)


def read_state(folder: Path) -> dict[str, Any]:
    """The state alone."""
    state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return state


def prune(root: Path, keep: int, *, saved: Path | None = None, every_steps: int = 0, best: bool = False) -> None:
    """Leave the newest `keep`, those after every `every_steps` batches, and the best.

    One that is whole is always among them: `saved`, which was just written, else the newest whole one. What is
    newer than that is damaged, and does not count.
    """
    folders, whole = every(root), saved or newest(root, lambda damage: None)
    kept = set([one for one in folders if whole is None or place(one) <= place(whole)][-max(keep, 1) :])
    if every_steps:
        kept |= {folder for folder in folders if place(folder)[1] < 0 and place(folder)[0] % every_steps == 0}
    scored = [(found, place(folder), folder) for folder in folders if (found := score(folder)) is not None]
    if best and scored:
        kept.add(max(scored)[-1])
    for folder in folders:
        if folder not in kept:
            remove(folder)
    sweep(root)


def sweep(root: Path) -> None:
    """Remove what a killed process left half-written or half-removed; a whole one that stepped aside comes back."""
    for leftover in root.glob(".step-*"):
        home = leftover.with_name(leftover.stem.removeprefix("."))
        if leftover.suffix == ".old" and not home.exists() and not inspect(leftover):
            leftover.rename(home)
        else:
            shutil.rmtree(leftover, ignore_errors=True)


def score(folder: Path) -> float | None:
    """How good the policy between two batches was when it was saved; None where nobody knows."""
    if place(folder)[1] >= 0:
        return None
    try:
        found = read_state(folder)["counters"]["score"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if found is None else float(found)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as flat named tensors, "3.exp_avg"."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, entries in state.items()
        for key, value in entries.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore `optimizer_tensors`; the configuration stays the truth about rates and decay."""
    entries: dict[int, dict[str, Tensor]] = {}
    for flat, value in tensors.items():
        index, key = flat.split(".", 1)
        entries.setdefault(int(index), {})[key] = value.clone()
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})


def digest(named: Mapping[str, Tensor]) -> str:
    """sha256 over names, shapes and bits of tensors."""
    seen = hashlib.sha256()
    for key in sorted(named):
        value = named[key].detach().cpu().contiguous()
        seen.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        seen.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return seen.hexdigest()


def _seal(folder: Path) -> None:
    """Flush every file, write the manifest, flush it and the folders."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        _flush(path)
    manifest = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in [folder / MANIFEST, *_folders(folder)]:
        _flush(path)


def _folders(folder: Path) -> Iterator[Path]:
    """Its folders, inner ones first, itself last."""
    yield from sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    yield folder


def _put(draft: Path, folder: Path) -> None:
    """Rename into place; one of the same name (damaged, or without its score) steps aside first, is removed last."""
    aside = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    draft.rename(folder)
    _flush(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def remove(folder: Path) -> None:
    """Remove a checkpoint; killed half-way, what is left carries no checkpoint's name."""
    aside = folder.with_name(f".{folder.name}.old")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
