"""Which weights: a checkpoint of a run folder, and a digest that changes when the weights do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError

CHECKPOINTS, POLICY = "checkpoints", "policy"
WHOLE = 4 * 2**30  # bytes of weights that are read whole; of more, sizes and headers
HEADER = 2**20  # bytes at the start of a safetensors file that hold its names, shapes and first values


def weights_of(path: str, checkpoint: str = "last") -> str:
    """The folder of a policy: of a run folder its last, best or a named checkpoint; any other path as it is."""
    folder = Path(path).expanduser()
    if (folder / POLICY / "config.json").is_file():  # a checkpoint itself
        return str(folder / POLICY)
    root = folder / CHECKPOINTS
    if not root.is_dir():
        return path
    found = sorted(entry.name for entry in root.iterdir() if (entry / POLICY / "config.json").is_file())
    steps = [name for name in found if name.startswith("step-")]
    wanted = (steps[-1] if steps else "") if checkpoint == "last" else checkpoint
    if checkpoint == "best" and "best" not in found:
        wanted = f"step-{int(_summary(folder).get('best_step') or -1):06d}"
    if wanted not in found:
        there = f"There are: {', '.join(found)}." if found else "None has been written yet."
        raise UserError("model.checkpoint", checkpoint, f"{folder} has no such checkpoint.", there)
    return str(root / wanted / POLICY)


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def digest(path: str) -> str:
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
