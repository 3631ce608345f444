"""Whether the gradient's variance is read where a prompt's responses do not fit into one micro-batch.

Its unit is the prompt, so the gradients of several micro-batches are summed beside the minibatch's: one more gradient,
n·s bytes. It is left out on a GPU so short of memory that micro-batches would be less than a third as large for it, and
where ranks share out the weights, of which none holds a whole gradient.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from tvo_cli.byte_sizes import format_bytes
from tvo_cli.memory.bounds import memory_bounds
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.microbatch_rows import bounded_rows, passes_within, reads_variance

SMALLEST = 1 / 3  # of the responses of a micro-batch; chosen: smaller ones cost more time than the reading is worth


class PartedVariance(NamedTuple):
    """Whether prompts of full length are parted that the variance is to be read of; whether it is then, and why."""

    parted: bool
    read: bool
    reason: str

    @property
    def summed(self) -> bool:
        """Whether a gradient is summed beside the minibatch's."""
        return self.parted and self.read

    def lines_of_run(self) -> tuple[str, ...]:
        """What a run says of it: nothing where all is read."""
        return (f"gradient/variance is not read of parted prompts: {self.reason}",) if self.parted > self.read else ()


def choose_parted_variance(config: Any, request: MemoryRequest, gpu_bytes: float | None) -> PartedVariance:
    """Choose whether the variance of parted prompts is read.

    Args:
        config: of a training run.
        request: of its memory, without the summed gradient.
        gpu_bytes: the whole memory of its GPU; None where it is not known.
    """
    rows = _rows_within(config, request, memory_bounds(config, request, gpu_bytes).microbatch_tokens)
    prompts = int(config.rollout.prompts) // int(config.rollout.minibatches)
    parted = passes_within(rows, request.samples) > 1 and reads_variance(prompts, int(config.trainer.variance_parts))
    if str(config.parallel.strategy) == "shard":
        return PartedVariance(parted, False, "with parallel=shard no rank holds the whole gradient of a prompt")
    if not parted:
        return PartedVariance(False, True, "no prompt is parted")
    positions = memory_bounds(config, replace(request, summed_gradient=True), gpu_bytes).microbatch_tokens
    beside = _rows_within(config, request, positions)
    read, fits = beside >= SMALLEST * rows, positions >= request.length
    cost = f"summing the gradients of a prompt takes {format_bytes(request.trained * request.trained_itemsize)}"
    cost += "" if beside == rows else f", for which micro-batches hold {beside if fits else 0} responses, not {rows}"
    key = "" if read or not fits else f"; trainer.microbatch_tokens={positions} reads it"
    return PartedVariance(True, read, cost + key)


def _rows_within(config: Any, request: MemoryRequest, positions: int) -> int:
    """Return the responses of a micro-batch of full length, of so many positions; 0 where nothing bounds them."""
    minibatch = int(config.rollout.prompts) // int(config.rollout.minibatches) * request.samples
    return bounded_rows(int(config.trainer.microbatch_rows), positions, request.length, minibatch=minibatch)
