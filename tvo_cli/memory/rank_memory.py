"""The memory of one of several ranks: what is shared out, what each holds whole for a while, what is on the host.

With P parameters of w bytes (gradient and optimiser state o likewise), E of them in embedding and head, L layers, and
S ranks that hold one copy of the weights between them (parallel=replicate: S = 1):

    standing      P·(w + w + o)/S, reference P·w/S, critic likewise; an adapter and its state stay whole
    autocast      2 bytes more of what is gathered in float32, and no copy of anything else
    gathered      g·(E + l·(P − E)/L) of weights, g bytes each, while layers compute: l = 2, one computing and the
                  next on its way (L where parallel.free_layers=false); in an update as much again of gradients
    sampling      g·P: one whole copy, gathered once a draw
    replicate     the bucket in which gradients travel
    offload       the standing weights, gradients and moments are the host's

Rows of every phase are a rank's own share. Nothing here was measured on GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tvo_cli.memory.memory_plan import MemoryPlan, plan_memory
from tvo_cli.memory.memory_request import FLOAT, MemoryRequest
from tvo_cli.memory.microbatch_memory import autocast_bytes

SHARED_OUT = ("weights", "gradients", "optimiser", "critic", "reference")
AT_ONCE = 2  # layers gathered at once: one computes, the next is on its way
BUCKET = 2**23 * FLOAT  # bytes of gradients that travel together: parallel/ranks.py
SAMPLING = ("generation", "branches", "evaluation")
PASSES = {"scoring": 1, "update": 2, "replay": 2, "critic": 2}  # weights; weights and their gradients


@dataclass(frozen=True, slots=True)
class RankLayout:
    """How ranks hold the weights."""

    ranks: int = 1
    shards: int = 1  # S: ranks that hold one copy between them
    sharded: bool = False  # parallel=shard, by a group of one too
    gather_bytes: int = FLOAT  # g
    free_layers: bool = True
    offload: bool = False

    @property
    def copies(self) -> int:
        """Copies of the weights among all ranks."""
        return self.ranks // self.shards


def request_of_rank(request: MemoryRequest, ranks: int, *, minibatch: int, batch: int, evaluated: int) -> MemoryRequest:
    """Return the memory request with one rank's share of the rows.

    Args:
        request: of one process.
        ranks: that share them.
        minibatch: responses of one.
        batch: responses of one.
        evaluated: responses of the held-out check.
    """
    return replace(
        request,
        microbatch_rows=min(request.microbatch_rows, max(_share(minibatch, ranks), request.samples)),
        critic_rows=min(request.critic_rows, _share(minibatch, ranks)),
        scored_rows=min(request.scored_rows, _share(batch, ranks)),
        generated_rows=min(request.generated_rows, _share(batch, ranks)),
        evaluated_rows=min(request.evaluated_rows, _share(evaluated, ranks)),
        extra=replace(
            request.extra,
            branched=min(request.extra.branched, _share(batch, ranks)),
            replayed=min(request.extra.replayed, _share(minibatch, ranks)),
        ),
    )


def plan_rank_memory(request: MemoryRequest, layout: RankLayout) -> MemoryPlan:
    """Return the memory of a rank by part; `request` has the rank's rows (request_of_rank)."""
    plan = plan_memory(request)
    if not layout.sharded:
        bucket = {"gradient bucket": float(BUCKET)} if layout.ranks > 1 else {}
        return replace(plan, standing={**plan.standing, **bucket})
    standing = {name: _shared_out(name, size, request, layout) for name, size in plan.standing.items()}
    moved = {name: standing.pop(name) for name in SHARED_OUT if layout.offload and name in standing}
    casts = autocast_bytes(request)
    phases = {name: size - casts + _gathered(name, request, layout) for name, size in plan.phases.items()}
    host = {name: _shared_out(name, size, request, layout) for name, size in plan.host.items()}
    return MemoryPlan(standing, phases, {**host, **moved})


def _share(rows: int, ranks: int) -> int:
    """A rank's share of rows, rounded up."""
    return -(-rows // ranks)


def _shared_out(name: str, size: float, request: MemoryRequest, layout: RankLayout) -> float:
    """Return a rank's share of a standing part; beside an adapter the frozen weights alone are shared out."""
    if name == "recorder":
        return size / (1 if request.adapter else layout.shards)
    if name not in SHARED_OUT:
        return size
    if request.adapter is None:
        return size / layout.shards
    whole = request.trained * request.trained_itemsize
    return whole + (size - whole) / layout.shards if name == "weights" else size


def _gathered(phase: str, request: MemoryRequest, layout: RankLayout) -> float:
    """Return what a phase gathers of the others' shares."""
    cast = 2 if request.autocast and layout.gather_bytes == FLOAT else 0
    if phase in SAMPLING:
        return float((layout.gather_bytes + cast) * request.shape.parameters)
    weights = _layer_group_numbers(request, layout.free_layers) * (layout.gather_bytes + cast)
    gradients = 0 if request.adapter else PASSES[phase] - 1
    return weights + gradients * _layer_group_numbers(request, free_layers=True) * layout.gather_bytes


def _layer_group_numbers(request: MemoryRequest, free_layers: bool) -> float:
    """Return the parameters that are whole on a rank at once: embedding and head, and the layers at work."""
    shape = request.shape
    ends = shape.embedding * (1 if shape.tied else 2)
    at_once = min(AT_ONCE, shape.layers) if free_layers else shape.layers
    return ends + at_once * (shape.parameters - ends) / max(shape.layers, 1)
