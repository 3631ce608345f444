"""The memory of a micro-batch: its positions, their activations and logits, and gradients on their way."""

from __future__ import annotations

from tvo_cli.memory.activation_size import (
    activation_bytes,
    eager_attention_bytes,
    forward_bytes,
    logits_bytes,
)
from tvo_cli.memory.adapter_size import adapter_activation_bytes
from tvo_cli.memory.memory_request import MemoryRequest

RESERVED = 1.1  # reserved over allocated on a GPU; not measured

SHARED = 0.15  # of all positions, from which responses share their prompt's forward


def microbatch_activation_bytes(request: MemoryRequest, rows: int) -> float:
    """Return activations and attention weights of a micro-batch of so many rows, prompts that are shared once."""
    positions = positions_of_rows(request, rows)
    return positions * position_bytes(request) + attention_weight_bytes(request, rows)


def position_bytes(request: MemoryRequest) -> float:
    """Return what the plan counts a position, an adapter's part included: of all layers, or of one recomputed."""
    size, autocast = request.itemsize, request.autocast
    found = activation_bytes(request.shape, 1, itemsize=size, autocast=autocast, checkpointed=request.checkpointed)
    if request.adapter is None:
        return found
    share = 1 / request.shape.layers if request.checkpointed else 1.0
    return found + share * adapter_activation_bytes(request.adapter, itemsize=size, autocast=autocast)


def attention_weight_bytes(request: MemoryRequest, rows: int) -> float:
    """Return the plan's attention weights of so many rows; 0 where attention never holds them."""
    if not request.eager:
        return 0.0
    return eager_attention_bytes(
        request.shape, rows, request.length, itemsize=request.itemsize, checkpointed=request.checkpointed
    )


def embedding_gradient_bytes(request: MemoryRequest) -> float:
    """Return the gradient of a tied embedding, which arrives from the head and from the input.

    Freed activations stay with a CPU's process while the second does.
    """
    if request.adapter is not None:
        return 0.0
    return float((2 if request.shape.tied else 1) * request.shape.embedding * request.weight_itemsize)


def summed_gradient_bytes(request: MemoryRequest) -> float:
    """Return the gradient of a prompt's micro-batches, summed beside the minibatch's for the variance reading."""
    return float(request.trained * request.trained_itemsize) if request.summed_gradient else 0.0


def critic_embedding_gradient_bytes(request: MemoryRequest) -> float:
    """Return the gradient of the critic's embedding, on its way to the optimiser."""
    return 0.0 if request.adapter else float(request.shape.embedding * request.weight_itemsize)


def positions_of_rows(request: MemoryRequest, rows: int) -> int:
    """Return the positions of a micro-batch of so many rows; a prompt counts once where responses share it.

    They do where this saves SHARED of them and the network can (model/forward_pass/shared_prefix.py): layers that are
    recomputed keep no cache, but take packed rows. On a GPU, where these have not run, the plan does not count on them.
    """
    whole = rows * request.length
    shared = -(-rows // request.samples) * request.prompt + rows * request.response
    packed = request.shape.packs and not request.eager and not request.gpu
    can = request.shape.plain_cache and (packed or not request.checkpointed)
    return shared if can and whole - shared >= SHARED * whole else whole


def autocast_bytes(request: MemoryRequest) -> float:
    """Return the bytes of autocast's bfloat16 weights, which it keeps through every phase."""
    return 2.0 * request.shape.parameters if request.autocast else 0.0


def scoring_bytes(request: MemoryRequest) -> float:
    """Return what scoring a micro-batch without gradient holds at once."""
    positions = request.scored_rows * request.length
    found = forward_bytes(request.shape, positions, itemsize=request.itemsize, autocast=request.autocast)
    return found + logits_bytes(request.shape, request.scored_rows * request.response, tiled=request.tiled)


def update_bytes(request: MemoryRequest) -> float:
    """Return activations and logits of a micro-batch."""
    rows = request.microbatch_rows
    logits = logits_bytes(request.shape, rows * request.response, tiled=request.tiled)
    return microbatch_activation_bytes(request, rows) + logits
