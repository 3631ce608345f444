"""The shapes of a model's tensors, from the headers of its safetensors files: neither weights nor torch are read."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

BUFFERS = ("inv_freq", "masked_bias", "position_ids")  # kept beside the parameters by some old checkpoints
LONGEST = 2**27  # bytes of a header that are believed


def stored_shapes(folder: Path) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each parameter by its name; empty where there is no model, or no safetensors after all."""
    if not (folder / "config.json").is_file():
        return {}
    found: dict[str, tuple[int, ...]] = {}
    try:
        for file in sorted(folder.glob("model*.safetensors")):
            found |= _shapes_in_file(file)
    except (OSError, ValueError, KeyError, struct.error):
        return {}  # the loader says what is wrong
    return found


def _shapes_in_file(file: Path) -> dict[str, tuple[int, ...]]:
    """Eight bytes say how long the JSON is that has the shapes."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        if length > LONGEST:
            raise ValueError("not a header of safetensors")
        header = json.loads(content.read(length))
    return {
        name: tuple(told["shape"])
        for name, told in header.items()
        if name != "__metadata__" and not name.endswith(BUFFERS)
    }
