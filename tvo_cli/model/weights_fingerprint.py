"""The fingerprint of a policy's files: it changes when config, tokenizer or weights do."""

from __future__ import annotations

import hashlib
from pathlib import Path

WHOLE = 4 * 2**30  # bytes of weights that are read whole; of more, sizes and headers
HEADER = 2**20  # bytes at the start of a safetensors file that hold its names, shapes and first values


def weights_fingerprint(path: str) -> str:
    """sha256 over config, tokenizer and weights of a local folder, its first 16 letters; a hub id has none."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return ""
    weights = sorted(folder.glob("*.safetensors"))
    whole = sum(file.stat().st_size for file in weights) <= WHOLE
    total = hashlib.sha256()
    for file in [*sorted(folder.glob("*.json")), *weights]:
        total.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest() if whole else content.read(HEADER))
    return total.hexdigest()[:16]
