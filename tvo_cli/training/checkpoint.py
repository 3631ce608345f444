"""Checkpoints: a folder that is whole or is not there.

Written to a hidden folder, every file flushed, a manifest with sizes and sha256 last, then renamed. Tensors
are safetensors, everything else JSON. The newest damaged one is passed over, with a message, for the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

MANIFEST = "manifest.json"


def name(step: int) -> str:
    """step-000010."""
    return f"step-{step:06d}"


def save(
    root: Path,
    step: int,
    *,
    policy: Callable[[Path], object],
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any],
) -> Path:
    """Write root/step-…; `policy` writes the model into the folder it is given."""
    final, draft = root / name(step), root / f".{name(step)}.partial"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        policy(draft / "policy")
        for part, named in tensors.items():
            save_file({key: value.contiguous() for key, value in named.items()}, draft / f"{part}.safetensors")
        (draft / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        _seal(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)
    _flush(root)
    return final


def newest(root: Path, report: Callable[[str], object]) -> Path | None:
    """The newest whole checkpoint under root; damaged ones are named in `report` and passed over."""
    for folder in sorted(root.glob("step-*"), reverse=True):
        damage = inspect(folder)
        if not damage:
            return folder
        report(f"checkpoint {folder.name} is damaged ({damage}); using the one before it")
    return None


def inspect(folder: Path) -> str:
    """What is wrong with a checkpoint, or ""."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "no readable manifest"
    for file, expected in manifest.items():
        path = folder / file
        if not path.is_file():
            return f"{file} is missing"
        if path.stat().st_size != expected["bytes"] or _sha256(path) != expected["sha256"]:
            return f"{file} differs from its manifest"
    return ""


def load(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Tensors by part, and the state."""
    parts = {path.stem: load_file(path) for path in sorted(folder.glob("*.safetensors"))}
    state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return parts, state


def prune(root: Path, keep: int) -> None:
    """Leave the newest `keep` checkpoints."""
    folders = sorted(root.glob("step-*"))
    for folder in folders[: max(len(folders) - max(keep, 1), 0)]:
        shutil.rmtree(folder)


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


def _seal(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    for path in [*files, folder / MANIFEST, folder / "policy", folder]:
        _flush(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
