"""Bytes that a forward pass keeps for its backward pass, a position, counted for layers of the Llama kind.

A layer keeps, with H the hidden width, Q and K the widths of queries and keys, I that of the feed-forward part, and s
bytes a number:

    residuals and norms   4·H, in float32 also under autocast
    normed inputs         2·H·s; 5·H·s under autocast, which keeps its casts beside them
    attention             2·Q + 2·K, times s (queries, output; keys, values)
    feed-forward          4·I·s (gate, its activation, up, their product)

Checkpointed layers keep their input, H, and one layer at a time all of the above. SDPA keeps no attention weights;
eager attention keeps them in float32 a head and key, and once more in the products' type where that is another.
"""

from __future__ import annotations

from tvo_cli.memory.network_shape import NetworkShape

FLOAT = 4
CHUNK = 64 * 2**20  # bytes of logits alive at once: model/forward_pass/logprobs.py
CHUNK_COPIES = 4  # logits, log π, its gradient, and what autocast makes of one of them


def activation_bytes(
    shape: NetworkShape, positions: int, *, itemsize: int, autocast: bool, checkpointed: bool
) -> float:
    """Return what so many positions of one micro-batch keep, all layers.

    itemsize: bytes of a number of the forward pass, 2 under autocast.
    """
    layer = _layer_bytes(shape, itemsize, autocast)
    if not checkpointed:
        return positions * shape.layers * layer
    kept = FLOAT if autocast else itemsize
    return positions * (shape.layers * shape.hidden * kept + layer)


def forward_bytes(shape: NetworkShape, positions: int, *, itemsize: int, autocast: bool) -> float:
    """Return what so many positions hold at once without gradient: one layer."""
    return positions * _layer_bytes(shape, itemsize, autocast)


def eager_attention_bytes(shape: NetworkShape, rows: int, length: int, *, itemsize: int, checkpointed: bool) -> float:
    """Return the attention weights that eager attention keeps: [rows, heads, length, length] a layer."""
    layers = 1 if checkpointed else shape.layers
    return float(layers * rows * shape.heads * length**2 * (FLOAT + (itemsize if itemsize != FLOAT else 0)))


def logits_bytes(shape: NetworkShape, tokens: int, *, tiled: bool) -> float:
    """Return what the logits of so many response tokens take: a chunk's copies; next to nothing in tiles."""
    return 0.0 if tiled else CHUNK_COPIES * min(CHUNK, FLOAT * tokens * shape.vocabulary)


def _layer_bytes(shape: NetworkShape, itemsize: int, autocast: bool) -> float:
    """Return the bytes that a layer keeps a position; see the module."""
    norms = 4 * shape.hidden * (FLOAT if autocast else itemsize)
    inputs = (5 if autocast else 2) * shape.hidden
    return norms + itemsize * (inputs + 2 * shape.queries + 2 * shape.keys + 4 * shape.intermediate)
