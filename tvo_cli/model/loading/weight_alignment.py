"""Weights where a memory allocator would put them, so that the same weights always give the same bits.

A weight read from a safetensors file may lie in the file's memory map, at whatever offset the header leaves: 8 bytes
off a multiple of 16, as often as not. A product of one row sums in another order there (vector instructions begin at
the next multiple), so that its last bits would depend on the length of a file's header, and a copy of the weights (a
reference, a rank's gathered shards) would not give those of the weights themselves.
"""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn

ALIGNMENT = 64  # bytes: torch's allocator on a CPU, and a cache line


def align_weights(network: nn.Module) -> None:
    """Copy what lies elsewhere in the host's memory; parameters stay the same objects, tied ones tied."""
    for held in chain(network.parameters(), network.buffers()):
        if not is_aligned(held):
            held.data = held.data.clone()


def is_aligned(held: Tensor) -> bool:
    """Whether a tensor begins at a multiple of ALIGNMENT; of another device's allocator that is not asked."""
    return held.device.type != "cpu" or held.data_ptr() % ALIGNMENT == 0
