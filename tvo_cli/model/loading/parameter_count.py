"""The number of a model's parameters, from the headers of its safetensors files where they are at hand."""

from __future__ import annotations

import math
from typing import Any

from tvo_cli.model.model_files.model_location import FRESH, folder_at_hand
from tvo_cli.model.model_files.stored_shapes import stored_shapes


def parameter_count(node: Any) -> int:
    """Parameters of the model that a node names; where no weights are at hand, of the network that its config makes."""
    folder = folder_at_hand(node)
    if folder and (shapes := stored_shapes(folder)):
        return sum(map(math.prod, shapes.values()))
    return sum(p.numel() for p in network_without_weights(node).parameters())


def network_without_weights(node: Any) -> Any:
    """The network of a model's config on torch's meta device, without weights, to count its parameters."""
    import torch
    from transformers import AutoModelForCausalLM

    from tvo_cli.model.loading.policy_loading import load_config
    from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer

    if str(node["path"]) == FRESH:
        return tiny_network(tiny_tokenizer(), seed=0)
    config = load_config(node)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)
