"""What bounds the memory of a run's phases: bytes of a rollout's cache, positions of a forward pass.

On a GPU `auto` follows from its whole memory and the plan, not from what happens to be free: a resumed run then cuts
its work as before, to the bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tvo_cli.memory.activation_size import (
    CHUNK,
    CHUNK_COPIES,
)
from tvo_cli.memory.memory_plan import plan_memory
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.microbatch_memory import (
    RESERVED,
    attention_weight_bytes,
    autocast_bytes,
    embedding_gradient_bytes,
    position_bytes,
    summed_gradient_bytes,
)

AUTO = "auto"
AUTO_BYTES = 4e9  # of a cache on a CPU, whose free memory others may want too
AUTO_SHARE = 0.5  # of a GPU's free memory

USED = 0.9  # of a GPU's memory: the rest is for what no formula has
CACHED = 2048  # positions of one forward on a CPU: what stays in its cache is computed fastest
LARGE = 1_000_000  # parameters of a network from which this gains


class MemoryBounds(NamedTuple):
    """Bytes of the KV cache and positions of a forward pass; 0: no bound."""

    cache_bytes: float
    microbatch_tokens: int


def memory_bounds(config: Any, request: MemoryRequest, gpu_bytes: float | None) -> MemoryBounds:
    """Return the bounds of a training run; `gpu_bytes`: the whole memory of its GPU, None where it is not known."""
    tokens, cache = config.trainer.get("microbatch_tokens", 0), config.rollout.get("cache_gb", 0)
    if not request.gpu:
        return MemoryBounds(cache_limit(cache, free=None), _bound_or_automatic(tokens, _cached_positions(request)))
    if gpu_bytes is None:
        return MemoryBounds(0.0 if cache == "auto" else cache_limit(cache, free=None), _bound_or_automatic(tokens, 0))
    free = free_gpu_bytes(gpu_bytes, sum(plan_memory(request).standing.values()))
    return MemoryBounds(cache_limit(cache, free=free), _bound_or_automatic(tokens, positions_that_fit(request, free)))


def free_gpu_bytes(whole: float, taken: float) -> float:
    """Return what is left of a GPU's memory beside what stands all the time."""
    return USED * whole - taken


def _bound_or_automatic(setting: int | str, automatic: int) -> int:
    """The bound that a setting names, or the one that follows from the memory where it is auto."""
    return automatic if setting == "auto" else int(setting)


def _cached_positions(request: MemoryRequest) -> int:
    """Positions that bound a forward pass by `auto` on a CPU; 0: a small network has no bound."""
    return CACHED if request.shape.parameters >= LARGE else 0


def positions_that_fit(request: MemoryRequest, free: float) -> int:
    """Return the positions of a micro-batch whose update fits into `free` bytes on a GPU: at least 1."""
    gradients = embedding_gradient_bytes(request) + summed_gradient_bytes(request)
    fixed = autocast_bytes(request) + gradients + RESERVED * CHUNK_COPIES * CHUNK
    each = RESERVED * (position_bytes(request) + attention_weight_bytes(request, 1) / max(request.length, 1))
    return max(1, int((free - fixed) / each))


def cache_limit(setting: float | str, *, free: float | None) -> float:
    """Return the bytes that a cache may have: rollout.cache_gb, or by `auto` a share of a GPU's `free` bytes."""
    if setting != AUTO:
        return float(setting) * 1e9
    return AUTO_BYTES if free is None else max(1.0, AUTO_SHARE * free)
