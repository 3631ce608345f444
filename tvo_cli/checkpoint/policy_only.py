"""Policy-only checkpoints: the policy and the run's counters, without the tensors that only a resume needs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tvo_cli.checkpoint.checkpoint_writer import rename_into_place
from tvo_cli.checkpoint.manifest import MANIFEST, is_file_of_checkpoint, read_manifest

TENSORS = ".safetensors"


def is_policy_only(folder: Path) -> bool:
    """Whether a checkpoint's manifest names no tensors besides the policy's: a run cannot be resumed from it."""
    manifest = read_manifest(folder)
    return not any(_is_for_resume(name) for name in manifest)


def drop_resume_tensors(folder: Path) -> int:
    """Remove the tensors that only a resume needs from a whole checkpoint; the bytes that became free.

    The smaller checkpoint is put together beside it from hard links and renamed into its place, so that a process
    that is killed leaves the one or the other.
    """
    freed = resume_tensor_bytes(folder)
    if not freed:
        return 0
    manifest = read_manifest(folder)
    kept = {name: entry for name, entry in manifest.items() if not _is_for_resume(name)}
    draft = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    for name in kept:
        _link_or_copy(folder / name, draft / name)
    (draft / MANIFEST).write_text(json.dumps(kept, indent=1), encoding="utf-8")
    rename_into_place(draft, folder)
    return freed


def resume_tensor_bytes(folder: Path) -> int:
    """Bytes of the files of a checkpoint that only a resume needs.

    0 without a manifest to tell them by, and where another file that it names is not there: such a one is left alone.
    """
    try:
        manifest = read_manifest(folder)
        if not all(is_file_of_checkpoint(folder, name) for name in manifest if not _is_for_resume(name)):
            return 0
        return sum(int(entry["bytes"]) for name, entry in manifest.items() if _is_for_resume(name))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return 0


def _is_for_resume(name: str) -> bool:
    """Whether a file of the manifest is a part beside the policy: optimizer.safetensors, streams.safetensors …"""
    return "/" not in name and name.endswith(TENSORS)


def _link_or_copy(source: Path, target: Path) -> None:
    """Put a file of the checkpoint into the smaller one, as a hard link where the file system has them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
