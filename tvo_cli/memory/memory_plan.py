"""The peak memory of a training run: parts that stand from the first step to the last, and the largest phase.

With N parameters of s bytes, n of them trained, o bytes of optimiser state each, E = V·H of the embedding:

    standing     process + N·s + n·s + n·o + critic (likewise) + reference N·s + copies of weights and optimiser;
                 beside an adapter of n parameters: N·s + n·4 + n·4 + n·o, and no reference
    generation   KV cache of the rows at once + three rows of logits each
    evaluation   the same of the held-out check
    scoring      one layer of the positions at once, without gradient
    update       activations of a micro-batch + logits + gradient of a tied embedding, which arrives in two parts
                 + n·s where the gradients of a parted prompt are summed: memory/parted_prompts.py
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
    forward_bytes,
)
from tvo_cli.memory.adapter_size import unpacked_bytes
from tvo_cli.memory.branches_replay_readings import (
    branch_columns,
    kept_response_bytes,
    layer_reading_bytes,
    running_mean_bytes,
    valley_reading_bytes,
)
from tvo_cli.memory.kv_cache_size import AHEAD, cache_bytes_per_token
from tvo_cli.memory.memory_request import FLOAT, MemoryRequest
from tvo_cli.memory.microbatch_memory import (
    RESERVED,
    autocast_bytes,
    critic_embedding_gradient_bytes,
    embedding_gradient_bytes,
    microbatch_activation_bytes,
    scoring_bytes,
    summed_gradient_bytes,
    update_bytes,
)

PROCESS = 0.47e9  # a run of the embedded model: Python, torch, transformers and their code (torch 2.13, CPU)
TOKENIZER = 1.9e3  # bytes a token of the vocabulary: a tokenizer of 49,152 adds 0.09 GB
HELD = 0.25e9  # of freed blocks that glibc keeps, at most; never more than a phase took, sampling included
CONTEXT = 0.6e9  # of a GPU: driver context and library workspaces; not measured
LOGIT_ROWS = 3  # logits, their exponentials and one copy, a row


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


def _phases(request: MemoryRequest) -> dict[str, float]:
    """Return what the plan adds in each phase of a step."""
    sampling = {
        "generation": generation_bytes(request, request.generated_rows),
        "branches": _branch_bytes(request) if request.extra.branched else 0.0,
        "evaluation": _evaluation_bytes(request) if request.evaluated_rows else 0.0,
    }
    passes = {
        "scoring": scoring_bytes(request),
        "update": update_bytes(request),
        "replay": _replay_bytes(request) if request.extra.replayed else 0.0,
        "critic": microbatch_activation_bytes(request, request.critic_rows) if request.critic else 0.0,
        "valley": _valley_bytes(request) if request.extra.probed else 0.0,
        "layers": _layers_bytes(request) if request.extra.layered else 0.0,
    }
    passing = {
        "update": embedding_gradient_bytes(request) + summed_gradient_bytes(request),
        "replay": embedding_gradient_bytes(request),
        "critic": critic_embedding_gradient_bytes(request),
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
    return update_bytes(replace(request, samples=1, microbatch_rows=request.extra.replayed))


def _valley_bytes(request: MemoryRequest) -> float:
    """Return what a reading of the valley takes; responses may share a prompt by chance, which is not counted on."""
    activations = update_bytes(replace(request, samples=1, microbatch_rows=request.extra.probed))
    return valley_reading_bytes(request.trained, request.trained_itemsize, activations)


def _layers_bytes(request: MemoryRequest) -> float:
    """Return what a reading of every layer takes, and the layer that computes."""
    size, extra = request.itemsize, request.extra
    computing = forward_bytes(request.shape, extra.layered, itemsize=size, autocast=request.autocast)
    return computing + layer_reading_bytes(request.shape, extra, size, autocast=request.autocast)


def _allocated(request: MemoryRequest, living: float, most: float) -> float:
    """Return what the plan's allocator takes for so many living bytes, after a phase that took the most of all."""
    return living * RESERVED if request.gpu else living + min(most, HELD)
