"""From the config of a run to what its memory depends on: micro-batches, copies, the longest row, the device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from tvo_cli import config as configuration
from tvo_cli.memory.adapter_size import AdapterSize
from tvo_cli.memory.bounds import MemoryBounds, memory_bounds
from tvo_cli.memory.branches_replay_readings import ExtraWork, branch_columns
from tvo_cli.memory.kv_cache_size import cache_bytes_per_token, rows_within_cache
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.microbatch_rows import MicrobatchSizes, microbatch_sizes
from tvo_cli.memory.network_shape import NetworkShape
from tvo_cli.memory.optimizer_state_size import optimizer_bytes_per_parameter
from tvo_cli.memory.parted_prompts import PartedVariance, choose_parted_variance
from tvo_cli.memory.rank_memory import RankLayout, request_of_rank
from tvo_cli.memory.reference_and_recorder import (
    CopyChoice,
    RecorderChoice,
    choose_recorder,
    choose_reference,
    readers_of_reference,
)
from tvo_cli.model.precision_choice import choose_precision, has_bfloat16_products

GATHERED = {"float32": 4, "bfloat16": 2}

WIDE = 16384  # of a vocabulary that is read in tiles: model/forward_pass/tiled_logprobs.py
ITEMSIZES = {"auto": 4, "float32": 4, "bfloat16": 2}  # of weights that are trained


class PlannedRun(NamedTuple):
    """What the memory of a run depends on, and which copies of the model it keeps: a run keeps these and no others."""

    request: MemoryRequest
    reference: CopyChoice
    recorder: RecorderChoice
    bounds: MemoryBounds
    variance: PartedVariance


def planned_run(config: Any, shape: NetworkShape, prompt: int, device: Any = None) -> PlannedRun:
    """Return the memory request of a config.

    Args:
        config: of a training run.
        shape: of its network.
        prompt: tokens of its longest prompt.
        device: torch's, where one is chosen already; else trainer.device says.
    """
    request = _request_without_rows(config, shape, prompt, device)
    state = request.trained_itemsize + request.optimizer_bytes
    reference = _reference_choice(config, request)
    recorder = choose_recorder(config.recorder, (request.trained + request.critic * request.critic_trained) * state)
    request = replace(request, reference=reference.kept, copies=_held_copies(config, recorder.held.kept))
    gpu_bytes = _gpu_bytes(device) if request.gpu else None
    variance = choose_parted_variance(config, request, gpu_bytes)
    request = replace(request, summed_gradient=variance.summed)
    bounds = memory_bounds(config, request, gpu_bytes)
    return PlannedRun(_with_rows(request, config, bounds), reference, recorder, bounds, variance)


def _request_without_rows(config: Any, shape: NetworkShape, prompt: int, device: Any) -> MemoryRequest:
    """Return the part of a planned run's request that does not depend on how its work is cut."""
    import torch

    model, trainer = config.model, config.trainer
    gpu = is_planned_for_gpu(str(trainer.device)) if device is None else device.type == "cuda"
    itemsize = ITEMSIZES[str(model.dtype)]
    autocast = itemsize == 4 and _planned_precision(config, shape, gpu) == "bfloat16"
    adapter = AdapterSize.of(config.adapter, shape) if "adapter" in config else None
    make, dtype = (
        configuration.build(config.optimizer.make),
        torch.float32 if adapter or itemsize == 4 else torch.bfloat16,
    )
    return MemoryRequest(
        shape=shape,
        weight_itemsize=itemsize,
        trained=adapter.parameters if adapter else shape.parameters,
        optimizer_bytes=optimizer_bytes_per_parameter(make, dtype) + _lion_reading_bytes(config),
        autocast=autocast,
        checkpointed=bool(model.gradient_checkpointing),
        gpu=gpu,
        tiled=not gpu and itemsize == 4 and not autocast and shape.vocabulary >= WIDE,
        critic=bool(config.algorithm.critic),
        samples=int(config.rollout.samples),
        prompt=prompt,
        response=int(config.rollout.max_tokens),
        adapter=adapter,
        quantised=bool(model.get("quantise")),
        eager=str(model.attention) == "eager",
    )


def _lion_reading_bytes(config: Any) -> int:
    """Return what Lion's reading keeps for each trained number: the direction of its last update, a byte."""
    return int(bool((config.stability.get("readings") or {}).get("lion")))


def _planned_precision(config: Any, shape: NetworkShape, gpu: bool) -> str:
    """Return the precision of the forward pass; `auto` as on a GPU that has products in bfloat16, or on this CPU."""
    asked = str(config.trainer.precision)
    if asked != "auto":
        return asked
    kind, bfloat16 = ("cuda", True) if gpu else ("cpu", has_bfloat16_products("cpu"))
    return choose_precision(kind, str(config.model.dtype), shape.parameters, bfloat16=bfloat16)


def _with_rows(request: MemoryRequest, config: Any, bounds: MemoryBounds) -> MemoryRequest:
    """Return the request with the rows of each phase."""
    sizes = microbatch_sizes(config, request.length, bounds.microbatch_tokens)
    each = cache_bytes_per_token(request.shape, itemsize=request.itemsize, autocast=request.autocast)
    response = _longest_evaluated_response(config)
    longest = request.prompt + response  # of the held-out check
    extra = ExtraWork.of(config, request.length, bounds.microbatch_tokens)
    if is_served(config.rollout):
        sizes, extra = sizes._replace(generated=0, evaluated=0), replace(extra, branched=0)
    return replace(
        request,
        microbatch_rows=sizes.update,
        critic_rows=sizes.critic,
        scored_rows=_scored_rows(config, sizes, request),
        generated_rows=rows_within_cache(sizes.generated, request.length, each, bounds.cache_bytes)
        if sizes.generated
        else 0,
        evaluated_rows=rows_within_cache(sizes.evaluated, longest, each, bounds.cache_bytes) if sizes.evaluated else 0,
        evaluated_response=response,
        extra=replace(extra, branched=_branched_rows_at_once(extra, request, each, bounds.cache_bytes)),
    )


def _branched_rows_at_once(extra: ExtraWork, request: MemoryRequest, each: int, cache_bytes: float) -> int:
    """Return how many of the rows behind cuts the cache holds; their columns: memory/branches_replay_readings.py."""
    longest = branch_columns(request.prompt, request.response)
    return rows_within_cache(extra.branched, longest, each, cache_bytes) if extra.branched else 0


def _longest_evaluated_response(config: Any) -> int:
    """Return the most tokens of a response to a held-out problem, of whichever test set."""
    test_sets = (config.evaluation.get("test_sets") or {}).values()
    named = [int(one.get("max_tokens") or one.dataset.max_tokens) for one in test_sets]
    return max([int(config.evaluation.max_tokens), *named])


def _gpu_bytes(device: Any) -> float | None:
    """Return the whole memory of the planned run's GPU; None where the plan is for another machine."""
    import torch

    if not torch.cuda.is_available():
        return None
    return float(torch.cuda.get_device_properties(device or "cuda").total_memory)


def is_planned_for_gpu(device: str) -> bool:
    """Return whether a run computes on a GPU: trainer.device=cuda plans for one that is elsewhere."""
    import torch

    return device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())


def _reference_choice(config: Any, request: MemoryRequest) -> CopyChoice:
    """Whether the planned run holds a copy of the model as reference, or asks the base of its adapter."""
    objective, estimator = (configuration.build(config.algorithm[name]) for name in ("objective", "estimator"))
    return choose_reference(
        config.stability.reference,
        required=objective.needs_reference or estimator.needs_reference,
        named=readers_of_reference(config),
        copy_bytes=0.0 if request.adapter else request.weight_bytes,  # frozen weights are shared
        network_bytes=request.weight_bytes,
    )


def _held_copies(config: Any, recorded: bool) -> int:
    """Return how many copies of weights and optimiser state may be held at once."""
    stability = config.stability
    rolls_back = stability.on_collapse == "rollback" and int(stability.snapshot_every) > 0
    refuses = held_for_refusals(config)
    return max(int(recorded or rolls_back), min(refuses, 1)) + int(rolls_back) + max(refuses - 1, 0)


def held_for_refusals(config: Any) -> int:
    """Return how many copies a run with stability.refuse holds: before the last update, and a slow rise of F."""
    stability = config.stability
    return int(float(stability.refuse) > 0) * (1 + int(float(stability.refuse_drift) > 0))


def is_served(rollout: Any) -> bool:
    """Return whether vLLM samples, whose memory is not this process's, or not while it learns."""
    return bool(rollout.get("engine"))


def _scored_rows(config: Any, sizes: MicrobatchSizes, request: MemoryRequest) -> int:
    """Return rows of a forward before the update; 0 where the sampler's own log-probabilities suffice."""
    scores = scores_policy(config, request)
    return max(sizes.scored if scores or request.reference else 0, sizes.valued if request.critic else 0)


def scores_policy(config: Any, request: MemoryRequest) -> bool:
    """Return whether the policy reads a batch before its updates: for its log-probabilities, or their entropy."""
    asked = str(config.trainer.old_logp)
    entropy = bool(config.algorithm.objective.get("reads", {}).get("old_entropy", False))
    own = request.autocast or is_served(config.rollout)
    return asked == "trainer" or (asked == "auto" and own) or entropy


def rank_layout(config: Any, ranks: int) -> RankLayout:
    """Return how so many ranks hold the weights under `parallel`."""
    node = config.parallel
    if str(node.strategy) != "shard":
        return RankLayout(ranks)
    return RankLayout(
        ranks,
        shards=int(node.shard_over) or ranks,
        sharded=True,
        gather_bytes=GATHERED[str(node.gather)],
        free_layers=bool(node.free_layers),
        offload=bool(node.offload),
    )


def request_of_run_rank(config: Any, request: MemoryRequest, ranks: int) -> MemoryRequest:
    """Return the memory request of one rank of a run."""
    rollout, evaluation = config.rollout, config.evaluation
    batch = int(rollout.prompts) * int(rollout.samples)
    return request_of_rank(
        request,
        ranks,
        minibatch=batch // int(rollout.minibatches),
        batch=batch,
        evaluated=int(evaluation.problems) * int(evaluation.samples),
    )
