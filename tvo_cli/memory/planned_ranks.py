"""From the config of a run to what its ranks hold and what a step of theirs costs."""

from __future__ import annotations

from typing import Any

from tvo_cli.memory.kv_cache_size import cache_bytes_per_token
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.planned_run import PlannedRun, scores_policy
from tvo_cli.memory.rank_memory import RankLayout, request_of_rank
from tvo_cli.memory.step_costs import StepWork

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
    """Return what ranks of a run have to do in a step, were all its responses as long as they may be."""
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
