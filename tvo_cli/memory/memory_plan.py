"""The peak memory of a training run: parts that stand from the first step to the last, and what each phase adds.

With N parameters of s bytes, n of them trained, o bytes of optimiser state each, E = V·H of the embedding:

    standing     process + N·s + n·s + n·o + critic (likewise) + reference N·s + copies of weights and optimiser;
                 beside an adapter of n parameters: N·s + n·4 + n·4 + n·o, and no reference
    generation   KV cache of the rows at once + three rows of logits each
    evaluation   the same of the held-out check
    scoring      one layer of the positions at once, without gradient
    update       activations of a micro-batch + logits + gradient of a tied embedding, which arrives in two parts
    critic       activations of its micro-batch + gradient of its embedding
    autocast     2·N of bfloat16 copies of the weights, in every phase
    DoRA, 4 bits what a layer unfolds for a moment, in every phase
    others       branches, kept responses and their replay, optional readings: memory/branches_replay_readings.py

The peak is standing + the largest phase. Constants below were measured (docs/memory.md); what was not says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tvo_cli.memory.activation_size import (
    CHUNK,
    CHUNK_COPIES,
    activation_bytes,
    eager_attention_bytes,
    forward_bytes,
    logits_bytes,
)
from tvo_cli.memory.adapter_size import adapter_activation_bytes, unpacked_bytes
from tvo_cli.memory.branches_replay_readings import (
    branch_columns,
    kept_response_bytes,
    layer_reading_bytes,
    running_mean_bytes,
    valley_reading_bytes,
)
from tvo_cli.memory.kv_cache_size import AHEAD, cache_bytes_per_token
from tvo_cli.memory.memory_request import FLOAT, MemoryRequest

PROCESS = 0.47e9  # a run of the embedded model: Python, torch, transformers and their code (torch 2.13, CPU)
TOKENIZER = 1.9e3  # bytes a token of the vocabulary: a tokenizer of 49,152 adds 0.09 GB
HELD = 0.25e9  # of freed blocks that glibc keeps, at most; never more than a phase took, sampling included
CONTEXT = 0.6e9  # of a GPU: driver context and library workspaces; not measured
RESERVED = 1.1  # reserved over allocated on a GPU; not measured
LOGIT_ROWS = 3  # logits, their exponentials and one copy, a row
SHARED = 0.15  # of all positions, from which responses share their prompt's forward


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes by part on the device that computes, and what the host holds besides where that is a GPU."""

    standing: Mapping[str, float]
    phases: Mapping[str, float]
    host: Mapping[str, float] = field(default_factory=dict)

    @property
    def phase(self) -> str:
        """The phase with the peak."""
        return max(self.phases, key=lambda name: self.phases[name])

    @property
    def peak(self) -> float:
        """Standing parts and the largest phase."""
        return sum(self.standing.values()) + self.phases[self.phase]


def plan_memory(request: MemoryRequest) -> MemoryPlan:
    """Return the memory of a run by part."""
    standing, host = _standing_parts(request), _parts_of_host(request)
    return (
        MemoryPlan(standing, _phases(request), host) if request.gpu else MemoryPlan(standing | host, _phases(request))
    )


def _standing_parts(request: MemoryRequest) -> dict[str, float]:
    """Return the parts of the plan that stand from the first step to the last."""
    shape, size = request.shape, request.trained_itemsize
    own_reference = request.reference and request.adapter is None
    parts = {
        "process": CONTEXT if request.gpu else PROCESS + TOKENIZER * shape.vocabulary,
        "weights": request.weight_bytes,
        "gradients": float(request.trained * size),
        "optimiser": request.trained * request.optimizer_bytes,
        "critic": request.critic_trained * (2 * size + request.optimizer_bytes) if request.critic else 0.0,
        "reference": request.weight_bytes if own_reference else 0.0,
        "running means": running_mean_bytes(request.trained, size) if request.extra.probed else 0.0,
    }
    return {name: found for name, found in parts.items() if found}


def _parts_of_host(request: MemoryRequest) -> dict[str, float]:
    """Return what stands in the memory of the host, whatever computes."""
    kept = kept_response_bytes(request.extra.kept, request.prompt, request.response)
    parts = {"recorder": _snapshot_bytes(request), "kept responses": kept}
    return {name: found for name, found in parts.items() if found}


def _snapshot_bytes(request: MemoryRequest) -> float:
    """Return what the copies of trained weights and optimiser state take, the critic's too."""
    trained = request.trained + request.critic * request.critic_trained
    return request.copies * trained * (request.trained_itemsize + request.optimizer_bytes)


def autocast_bytes(request: MemoryRequest) -> float:
    """Return what the plan counts for autocast, in every phase: the bytes of its bfloat16 weights."""
    return 2.0 * request.shape.parameters if request.autocast else 0.0


def _phases(request: MemoryRequest) -> dict[str, float]:
    """Return what the plan adds in each phase of a step."""
    sampling = {
        "generation": generation_bytes(request, request.generated_rows),
        "branches": _branch_bytes(request) if request.extra.branched else 0.0,
        "evaluation": _evaluation_bytes(request) if request.evaluated_rows else 0.0,
    }
    passes = {
        "scoring": _scoring_bytes(request),
        "update": _update_bytes(request),
        "replay": _replay_bytes(request) if request.extra.replayed else 0.0,
        "critic": _activations(request, request.critic_rows) if request.critic else 0.0,
        "valley": _valley_bytes(request) if request.extra.probed else 0.0,
        "layers": _layers_bytes(request) if request.extra.layered else 0.0,
    }
    passing = {
        **dict.fromkeys(("update", "replay"), _passing_gradients(request)),
        "critic": _passing_gradients_of_critic(request),
    }
    most = max(*sampling.values(), *passes.values())
    taken = {name: _allocated(request, size, most) + passing.get(name, 0.0) for name, size in passes.items() if size}
    beside = autocast_bytes(request) + _unfolded_bytes(request)
    return {name: beside + size for name, size in (sampling | taken).items() if size}


def _unfolded_bytes(request: MemoryRequest) -> float:
    """Return what the largest layer unfolds while it computes: an adapter's product, its matrix of 4 bits."""
    unpacked = unpacked_bytes(request.shape, request.weight_itemsize) if request.quantised else 0.0
    return unpacked + (FLOAT * request.adapter.unfolded if request.adapter else 0)


def generation_bytes(request: MemoryRequest, rows: int) -> float:
    """Return KV cache and logits of so many rows at once."""
    each = cache_bytes_per_token(request.shape, itemsize=request.itemsize, autocast=request.autocast)
    return rows * ((request.length + AHEAD) * each + LOGIT_ROWS * FLOAT * request.shape.vocabulary)


def _evaluation_bytes(request: MemoryRequest) -> float:
    """Return what the plan counts for the generation of the held-out check."""
    return generation_bytes(replace(request, response=request.evaluated_response), request.evaluated_rows)


def _branch_bytes(request: MemoryRequest) -> float:
    """Return KV cache and logits of the rows that are sampled behind cuts."""
    behind_prompt = branch_columns(0, request.response)
    return generation_bytes(replace(request, response=behind_prompt), request.extra.branched)


def _replay_bytes(request: MemoryRequest) -> float:
    """Return what an update on kept responses takes, each a prompt of its own."""
    return _update_bytes(replace(request, samples=1, microbatch_rows=request.extra.replayed))


def _valley_bytes(request: MemoryRequest) -> float:
    """Return what a reading of the valley takes; responses may share a prompt by chance, which is not counted on."""
    activations = _update_bytes(replace(request, samples=1, microbatch_rows=request.extra.probed))
    return valley_reading_bytes(request.trained, request.trained_itemsize, activations)


def _layers_bytes(request: MemoryRequest) -> float:
    """Return what a reading of every layer takes, and the layer that computes."""
    size, extra = request.itemsize, request.extra
    computing = forward_bytes(request.shape, extra.layered, itemsize=size, autocast=request.autocast)
    return computing + layer_reading_bytes(request.shape, extra, size, autocast=request.autocast)


def _scoring_bytes(request: MemoryRequest) -> float:
    """Return what the plan counts for scoring a batch without gradient."""
    positions = request.scored_rows * request.length
    found = forward_bytes(request.shape, positions, itemsize=request.itemsize, autocast=request.autocast)
    return found + logits_bytes(request.shape, request.scored_rows * request.response, tiled=request.tiled)


def _update_bytes(request: MemoryRequest) -> float:
    """Return activations and logits of a micro-batch."""
    rows = request.microbatch_rows
    return _activations(request, rows) + logits_bytes(request.shape, rows * request.response, tiled=request.tiled)


def _activations(request: MemoryRequest, rows: int) -> float:
    """Return the plan's activations of a micro-batch of so many rows."""
    positions = positions_of_rows(request, rows)
    return positions * _position_bytes(request) + _attention_weights(request, rows)


def _position_bytes(request: MemoryRequest) -> float:
    """Return what the plan counts a position, an adapter's part included: of all layers, or of one recomputed."""
    size, autocast = request.itemsize, request.autocast
    found = activation_bytes(request.shape, 1, itemsize=size, autocast=autocast, checkpointed=request.checkpointed)
    if request.adapter is None:
        return found
    share = 1 / request.shape.layers if request.checkpointed else 1.0
    return found + share * adapter_activation_bytes(request.adapter, itemsize=size, autocast=autocast)


def _attention_weights(request: MemoryRequest, rows: int) -> float:
    """Return the plan's attention weights of so many rows; 0 where attention never holds them."""
    if not request.eager:
        return 0.0
    return eager_attention_bytes(
        request.shape, rows, request.length, itemsize=request.itemsize, checkpointed=request.checkpointed
    )


def _passing_gradients(request: MemoryRequest) -> float:
    """Return the gradient of a tied embedding, which arrives from the head and from the input.

    Freed activations stay with a CPU's process while the second does.
    """
    if request.adapter is not None:
        return 0.0
    return float((2 if request.shape.tied else 1) * request.shape.embedding * request.weight_itemsize)


def _passing_gradients_of_critic(request: MemoryRequest) -> float:
    """Return the plan's gradient of the critic's embedding."""
    return 0.0 if request.adapter else float(request.shape.embedding * request.weight_itemsize)


def positions_of_rows(request: MemoryRequest, rows: int) -> int:
    """Return the positions that the plan counts for so many rows; a prompt counts once where responses share it.

    They do where this saves SHARED of them and the network can (model/forward_pass/shared_prefix.py): layers that are
    recomputed keep no cache, but take packed rows. On a GPU, where these have not run, the plan does not count on them.
    """
    whole = rows * request.length
    shared = -(-rows // request.samples) * request.prompt + rows * request.response
    packed = request.shape.packs and not request.eager and not request.gpu
    can = request.shape.plain_cache and (packed or not request.checkpointed)
    return shared if can and whole - shared >= SHARED * whole else whole


def _allocated(request: MemoryRequest, living: float, most: float) -> float:
    """Return what the plan's allocator takes for so many living bytes, after a phase that took the most of all."""
    return living * RESERVED if request.gpu else living + min(most, HELD)


def positions_that_fit(request: MemoryRequest, free: float) -> int:
    """Return the positions of a micro-batch whose update fits into `free` bytes on a GPU: at least 1."""
    fixed = autocast_bytes(request) + _passing_gradients(request) + RESERVED * CHUNK_COPIES * CHUNK
    each = RESERVED * (_position_bytes(request) + _attention_weights(request, 1) / max(request.length, 1))
    return max(1, int((free - fixed) / each))
