"""The number of a model's parameters, from the headers of its safetensors files: weights and torch are not read."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.fetch.catalogue import SCHEME, fetched_folder
from tvo_cli.model.policy_checkpoint import resolve_policy_checkpoint

WEIGHTS = Path(__file__).parent / "weights"
BUFFERS = ("inv_freq", "masked_bias", "position_ids")  # kept beside the parameters by some old checkpoints
LONGEST = 2**27  # bytes of a head that are believed


def parameter_count(node: Any) -> int:
    """Parameters of the model that a node names; where no weights are at hand, of the network that its config makes."""
    files = safetensors_files_to_count(str(node["path"]), str(node.get("checkpoint") or "last"))
    if files:
        try:
            return sum(map(_parameters_in_file, files))
        except (OSError, ValueError, KeyError, struct.error):
            pass  # no safetensors after all: the loader says what is wrong
    return _parameters_of_config(node)


def safetensors_files_to_count(path: str, checkpoint: str) -> Sequence[Path]:
    """The safetensors of a packaged model, a folder, or a hub model that was downloaded before."""
    if path.startswith("packaged:"):
        folder = WEIGHTS / path.removeprefix("packaged:")
    elif path.startswith(SCHEME):
        folder = fetched_folder(path)
    elif Path(path).expanduser().exists():
        folder = Path(resolve_policy_checkpoint(path, checkpoint)).expanduser()
    else:
        return []
    return sorted(folder.glob("model*.safetensors")) if (folder / "config.json").is_file() else []


def _parameters_in_file(file: Path) -> int:
    """Numbers in the tensors of a file: eight bytes say how long the JSON is that has their shapes."""
    with file.open("rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        if length > LONGEST:
            raise ValueError("not a head of safetensors")
        head = json.loads(content.read(length))
    shapes = (told["shape"] for name, told in head.items() if name != "__metadata__" and not name.endswith(BUFFERS))
    return sum(map(math.prod, shapes))


def _parameters_of_config(node: Any) -> int:
    """Parameters of the network that a model's config makes: no weights are read."""
    return sum(p.numel() for p in network_without_weights(node).parameters())


def network_without_weights(node: Any) -> Any:
    """The network that a model's config makes, on torch's meta device: shapes and no numbers."""
    import torch
    from transformers import AutoModelForCausalLM

    from tvo_cli.model.policy_loading import FRESH, load_config
    from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer

    if str(node["path"]) == FRESH:
        return tiny_network(tiny_tokenizer(), seed=0)
    config = load_config(node)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)
