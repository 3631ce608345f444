"""The shape of a model's network from its files alone, for the families whose layers are all alike.

config.json and the headers of the weights say everything; transformers' networks, whose import takes seconds, are not
needed. Of any other model the network is made without weights and counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.memory.network_shape import LinearLayer, NetworkShape, shape_of_network
from tvo_cli.model.loading.parameter_count import network_without_weights
from tvo_cli.model.model_files.model_location import folder_at_hand
from tvo_cli.model.model_files.stored_shapes import stored_shapes

ALIKE = ("llama", "qwen2", "qwen3")  # model types whose layers are plain attention and a gated feed-forward part
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
Shapes = Mapping[str, tuple[int, ...]]


def shape_of_model(node: Any) -> NetworkShape:
    """Return the shape of the network of the model that a config's node names.

    Raises:
        UserError: the model cannot be found.
    """
    folder = folder_at_hand(node)
    return (folder and _shape_of_files(folder)) or shape_of_network(network_without_weights(node))


def _shape_of_files(folder: Path) -> NetworkShape | None:
    """Return the shape of a folder's network; None where its files do not tell."""
    shapes = stored_shapes(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return _shape_of_config(config, shapes) if _tells_all(config, shapes) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tells_all(config: Any, shapes: Shapes) -> bool:
    """Whether the family is known, no window cuts its attention, and weights are neither quantised nor absent."""
    windowed = config.get("use_sliding_window") or "sliding_attention" in (config.get("layer_types") or ())
    known = config.get("model_type") in ALIKE and EMBEDDING in shapes
    return known and not windowed and not config.get("quantization_config")


def _shape_of_config(config: Mapping[str, Any], shapes: Shapes) -> NetworkShape:
    """The shape that memory depends on, from a model's config and the shapes of its stored tensors."""
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    width = int(config.get("head_dim") or hidden // heads)
    tied = bool(config.get("tie_word_embeddings")) or HEAD not in shapes
    counted = {name: math.prod(shape) for name, shape in shapes.items() if not (tied and name == HEAD)}
    return NetworkShape(
        parameters=sum(counted.values()),
        embedding=counted[EMBEDDING],
        tied=tied,
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        intermediate=int(config["intermediate_size"]),
        queries=heads * width,
        keys=int(config.get("num_key_value_heads") or heads) * width,
        vocabulary=int(config["vocab_size"]),
        plain_cache=True,
        heads=heads,
        linear=tuple(_linear_layers(shapes)),
    )


def _linear_layers(shapes: Shapes) -> Iterator[LinearLayer]:
    """Yield the linear layers of the backbone: every matrix but embedding and head; stored as outputs × inputs."""
    for name, shape in shapes.items():
        if len(shape) == 2 and name not in (EMBEDDING, HEAD):
            yield LinearLayer(name.removesuffix(".weight").rpartition(".")[2], shape[1], shape[0])
