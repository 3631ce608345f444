"""How many parameters a model has, from the heads of its weights alone: neither weights nor torch are read."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.model.fingerprint import weights_of

WEIGHTS = Path(__file__).parent / "weights"
BUFFERS = ("inv_freq", "masked_bias", "position_ids")  # kept beside the parameters by some old checkpoints
LONGEST = 2**27  # bytes of a head that are believed


def parameter_count(node: Any) -> int:
    """Parameters of the model that a node names; where no weights are at hand, of the network that its config makes."""
    files = weight_files(str(node["path"]), str(node.get("checkpoint") or "last"))
    if files:
        try:
            return sum(map(_counted, files))
        except (OSError, ValueError, KeyError, struct.error):
            pass  # no safetensors after all: the loader says what is wrong
    from tvo_cli.model.loading import parameter_count as built

    return built(node)


def weight_files(path: str, checkpoint: str) -> Sequence[Path]:
    """The safetensors of a packaged model, a folder, or a hub model that was downloaded before."""
    if path.startswith("packaged:"):
        folder = WEIGHTS / path.removeprefix("packaged:")
    elif Path(path).expanduser().exists():
        folder = Path(weights_of(path, checkpoint)).expanduser()
    else:
        return []
    return sorted(folder.glob("model*.safetensors")) if (folder / "config.json").is_file() else []


def _counted(file: Path) -> int:
    """Numbers in the tensors of a file: eight bytes say how long the JSON is that has their shapes."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        if length > LONGEST:
            raise ValueError("not a head of safetensors")
        head = json.loads(content.read(length))
    shapes = (told["shape"] for name, told in head.items() if name != "__metadata__" and not name.endswith(BUFFERS))
    return sum(map(math.prod, shapes))
