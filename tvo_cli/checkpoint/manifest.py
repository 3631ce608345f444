"""The manifest of a checkpoint: every file of it, with its size and sha256; and whether a name in it may be opened."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

MANIFEST = "manifest.json"


class ManifestFile(NamedTuple):
    """An entry of the manifest: what it says of a file."""

    name: str
    bytes: int
    sha256: str


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint as it stands in its folder: bytes and sha256 by file."""
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return found


def is_file_of_checkpoint(folder: Path, file: str) -> bool:
    """Whether a name of a manifest is that of a file inside the checkpoint."""
    return not leads_out_of_checkpoint(folder, file) and (folder / file).is_file()


def leads_out_of_checkpoint(folder: Path, file: str) -> bool:
    """Whether a name of a manifest is absolute, climbs, or passes a link."""
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        return True
    path = folder / file
    return any(part.is_symlink() for part in (path, *path.parents) if folder in part.parents)
