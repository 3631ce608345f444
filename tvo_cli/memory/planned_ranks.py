"""From the config of a run to what its ranks hold and what a step of theirs costs."""

from __future__ import annotations

from typing import Any

from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.planned_run import PlannedRun, scores_policy
from tvo_cli.memory.rank_memory import RankLayout, request_of_rank
from tvo_cli.memory.rollout_cache import cache_bytes_per_token
from tvo_cli.memory.step_costs import H100, StepWork, speed_among

GATHERED = {"float32": 4, "bfloat16": 2}


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


def step_work(config: Any, run: PlannedRun, ranks: int) -> StepWork:
    """Return what a step of a run has to do, were all its responses as long as they may be."""
    request, rollout = request_of_run_rank(config, run.request, ranks), config.rollout
    return StepWork(
        parameters=request.shape.parameters,
        layers=request.shape.layers,
        cache_bytes=cache_bytes_per_token(request.shape, itemsize=request.itemsize, autocast=request.autocast),
        responses=int(rollout.prompts) * int(rollout.samples),
        prompt=request.prompt,
        response=request.response,
        longest=request.response,
        epochs=int(rollout.epochs),
        minibatches=int(rollout.minibatches),
        microbatch_rows=request.microbatch_rows,
        scorings=request.reference + scores_policy(config, request),
        recomputed=request.checkpointed,
        own_loop=not rollout.get("engine"),
        read_bytes=request.itemsize,
        adapter=request.trained if request.adapter else 0,
    )


def relief_of_bottleneck(name: str, work: StepWork, layout: RankLayout) -> str:
    """Return what makes a step's slowest part quicker."""
    if name == "decoding":
        if work.own_loop and layout.ranks > 1:
            return "the longest response, each token by all layers; a server reads faster: rollout=server"
        return "the longest response, which more GPUs make no shorter: more prompts a batch, or fewer GPUs"
    if name == "network" and layout.sharded and layout.shards > H100.gpus:
        slow, quick = (f"{speed_among(n, H100) / 1e9:g} GB/s" for n in (layout.shards, H100.gpus))
        return f"shards travel between hosts at {slow}, within one at {quick}: parallel.shard_over={H100.gpus}"
    if name == "network":
        return "gradients and weights that travel: larger micro-batches, parallel.gather=bfloat16"
    return "arithmetic, which more ranks share out"
