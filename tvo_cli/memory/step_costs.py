"""What a training step costs on paper: arithmetic, decoding, and the bytes that ranks exchange.

P parameters in L layers; B responses a step, of T tokens each after a prompt of Q, the longest of M tokens; E epochs
of U minibatches; N ranks, of which S hold one copy of the weights between them, C = N/S copies; g bytes of a weight
that travels or is read; k bytes of cache a token.

    updates     8·P·B·(Q+T)·E                FLOP: forward 2, backward 4, activations computed again 2 (6 without)
    scoring     2·P·B·(Q+T)                  FLOP a network: the policy before its update, the reference
    decoding    M·max((g·P + B/N·(Q+T/2)·k)/bandwidth, L·launch)   s: every token reads all weights and the caches of
                                             a rank's rows; the own loop also starts L layers' kernels
    shards      (S−1)/S·P·(n·g + 4)          bytes a rank and micro-batch: weights gathered n = 2 times (1 where
                                             layers are kept), gradients scattered in float32
    copies      2·(C−1)/C·4·P/S              bytes a rank and exchange of gradients among copies (a ring)
    adapter     n trained numbers beside frozen weights: their gradient of 4·n bytes goes around all N ranks, none is
                scattered, and a backward costs 2 FLOP less: weights that are frozen have no gradient
    batch       20·B·(Q+T)                   bytes: token ids, log-probabilities, rewards, masks
    weights     (S−1)/S·P·g                  bytes a rank, gathered for a draw; P·g to a server

Shards travel while the micro-batch before or after them is computed: only what takes longer than that is waited for.
Speeds are those of H100s, as achieved and not as printed; nothing here was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvo_cli.memory.kv_cache_size import cache_bytes_per_token
from tvo_cli.memory.planned_run import PlannedRun, request_of_run_rank, scores_policy
from tvo_cli.memory.rank_memory import RankLayout

GRADIENT = 4  # bytes of a gradient that travels
RECORD = 20  # bytes a token of the batch
FORWARD, BACKWARD = 2, 4  # FLOP a parameter and token


@dataclass(frozen=True, slots=True)
class GpuSpeeds:
    """Speeds of a GPU and of its connections."""

    flops: float = 4.0e14  # a second, in training
    bandwidth: float = 3.35e12  # bytes a second of its memory
    link: float = 3.0e11  # bytes a second to the GPUs of its host
    network: float = 5.0e10  # bytes a second to other hosts, a GPU
    launch: float = 1.0e-3  # seconds to start the kernels of one layer for one token
    gpus: int = 8  # a host


H100 = GpuSpeeds()


@dataclass(frozen=True, slots=True)
class StepWork:
    """What a step has to do, of all ranks together."""

    parameters: int  # P
    layers: int  # L
    cache_bytes: float  # k
    responses: int  # B
    prompt: int  # Q
    response: int  # T
    longest: int  # M
    epochs: int  # E
    minibatches: int  # U
    microbatch_rows: int
    scorings: int  # networks that score a batch before its updates
    recomputed: bool = True  # whether the backward computes activations again
    own_loop: bool = True  # whether the ranks sample themselves
    read_bytes: int = 2  # g of decoding
    adapter: int = 0  # numbers that train beside frozen weights; 0: all weights train

    @property
    def tokens(self) -> int:
        """Positions of a batch."""
        return self.responses * (self.prompt + self.response)


def update_flop(work: StepWork) -> float:
    """Return the FLOP of a step's updates."""
    passes = FORWARD + (BACKWARD // 2 if work.adapter else BACKWARD) + FORWARD * work.recomputed
    return float(passes * work.parameters * work.tokens * work.epochs)


def scoring_flop(work: StepWork) -> float:
    """Return the FLOP of scoring a batch before its updates."""
    return float(FORWARD * work.parameters * work.tokens * work.scorings)


def decoding_seconds(work: StepWork, ranks: int, machine: GpuSpeeds = H100) -> float:
    """Return the seconds until the longest response is done."""
    rows = work.responses / ranks
    read = work.read_bytes * work.parameters + rows * (work.prompt + work.response / 2) * work.cache_bytes
    launches = work.layers * machine.launch if work.own_loop else 0.0
    return work.longest * max(read / machine.bandwidth, launches)


def shard_bytes(work: StepWork, layout: RankLayout) -> float:
    """Return the bytes that a rank receives of the others' shards for one micro-batch."""
    gathers = 2 if layout.free_layers else 1
    gradient = 0 if work.adapter else GRADIENT
    return _share_of_other_ranks(layout.shards) * work.parameters * (gathers * layout.gather_bytes + gradient)


def gathered_bytes(work: StepWork, layout: RankLayout) -> float:
    """Return the bytes that a rank receives to have all weights once."""
    return _share_of_other_ranks(layout.shards) * work.parameters * layout.gather_bytes


def copy_bytes(work: StepWork, layout: RankLayout) -> float:
    """Return the bytes that a rank receives in one exchange of gradients among copies; an adapter is copied by all."""
    if work.adapter:
        return 2 * _share_of_other_ranks(layout.ranks) * GRADIENT * work.adapter
    return 2 * _share_of_other_ranks(layout.copies) * GRADIENT * work.parameters / layout.shards


def batch_bytes(work: StepWork) -> float:
    """Return the bytes of a graded batch, which every rank receives."""
    return float(RECORD * work.tokens)


def microbatches_of_rank(work: StepWork, ranks: int) -> int:
    """Return the micro-batches of a rank in one minibatch."""
    rows = -(-work.responses // (work.minibatches * ranks))
    return -(-rows // max(work.microbatch_rows, 1))


def exchanges_of_copies(work: StepWork, layout: RankLayout) -> int:
    """Return the exchanges of gradients in a step: one a minibatch, of shards one a micro-batch."""
    each = layout.sharded and not work.adapter
    return work.epochs * work.minibatches * (microbatches_of_rank(work, layout.ranks) if each else 1)


def bytes_of_step(work: StepWork, layout: RankLayout) -> dict[str, float]:
    """Return what a rank receives in a step, by purpose."""
    passes = work.epochs * work.minibatches * microbatches_of_rank(work, layout.ranks)
    found = {
        "shards": passes * shard_bytes(work, layout) + work.scorings * gathered_bytes(work, layout),
        "gradients": exchanges_of_copies(work, layout) * copy_bytes(work, layout),
        "weights to sample with": gathered_bytes(work, layout),
        "batch": batch_bytes(work) * (layout.ranks > 1),
    }
    return {name: size for name, size in found.items() if size}


def seconds_of_step(work: StepWork, layout: RankLayout, machine: GpuSpeeds = H100) -> dict[str, float]:
    """Return the seconds of a step by what they go to."""
    return {
        "decoding": decoding_seconds(work, layout.ranks, machine),
        "updates": update_flop(work) / (layout.ranks * machine.flops),
        "scoring": scoring_flop(work) / (layout.ranks * machine.flops),
        "network": waited_seconds(work, layout, machine),
    }


def waited_seconds(work: StepWork, layout: RankLayout, machine: GpuSpeeds = H100) -> float:
    """Return the seconds of a step in which ranks wait for bytes."""
    passes = work.epochs * work.minibatches * microbatches_of_rank(work, layout.ranks)
    computing = update_flop(work) / (layout.ranks * machine.flops * passes)
    travelling = shard_bytes(work, layout) / speed_among(layout.shards, machine)
    copies = exchanges_of_copies(work, layout) * copy_bytes(work, layout) / speed_among(layout.ranks, machine)
    return passes * max(0.0, travelling - computing) + copies


def speed_among(ranks: int, machine: GpuSpeeds) -> float:
    """Return bytes a second between so many ranks: of one host, or of several."""
    return machine.link if ranks <= machine.gpus else machine.network


def _share_of_other_ranks(count: int) -> float:
    """Return the share that the other ranks of a ring hold."""
    return (count - 1) / count


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
