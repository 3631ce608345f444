"""Parameters that torch shards over processes (DTensor), as the slices that a checkpoint holds, and back.

Sharded along dimension 0, as FSDP2 does it: ⌈n ÷ shards⌉ rows each, the last ones fewer or none. In a mesh of two
dimensions several processes hold the same rows, and the first of them writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from tvo_cli.checkpoint.tensor_slice import HeldTensor, RowRange, TensorSlice, even_row_range, whole_values


def is_sharded(value: Tensor) -> bool:
    """Whether it is a DTensor; to import its class takes a second, and one process has none."""
    return hasattr(value, "device_mesh")


def held_tensor(value: Tensor) -> HeldTensor:
    """What this process holds of a tensor: a plain one itself, a sharded one's rows."""
    if not is_sharded(value):
        return value
    held, rows = _local_tensor(value), row_range(value)
    return held if rows is None else TensorSlice(held, rows.begin, rows.of, is_owned=_is_first_copy(value))


def held_tensors(named: Mapping[str, Tensor]) -> dict[str, HeldTensor]:
    """Each parameter as the slice that this process holds where it is sharded, else whole."""
    return {name: held_tensor(value) for name, value in named.items()}


def row_range(value: Tensor) -> RowRange | None:
    """The rows of a tensor that this process holds; None: all of it.

    Raises:
        ValueError: it is not sharded along dimension 0 in even blocks.
    """
    place = _shard_place(value)
    if place is None:
        return None
    found = even_row_range(value.shape[0], *place)
    if len(_local_tensor(value)) != found.end - found.begin:
        raise ValueError(f"a tensor {list(value.shape)} whose rows are not sharded in even blocks")
    return found


def placed_as(held: HeldTensor, like: Tensor) -> Tensor:
    """What was held of a tensor as one that is placed as `like`; of a whole one the rows that are here.

    Plain beside a plain `like`, and where a plain one has another shape, as a count of steps has.
    """
    rows = row_range(like)
    if rows is None:
        return whole_values(held, "a tensor of this process")
    if isinstance(held, TensorSlice) and held.range != rows:
        raise ValueError(f"rows {held.range} of a tensor of which this process holds {rows}")
    if not isinstance(held, TensorSlice) and held.shape != like.shape:
        return held
    values = held.rows if isinstance(held, TensorSlice) else held[rows.begin : rows.end]
    placed = torch.empty_like(like.detach(), dtype=values.dtype)
    with torch.no_grad():
        _local_tensor(placed).copy_(values)
    return placed


def place_each(named: Mapping[str, HeldTensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`placed_as` of each; one that `like` does not name must be whole, and is left to whoever asked for it."""
    return {
        name: placed_as(held, like[name]) if name in like else whole_values(held, name) for name, held in named.items()
    }


def unsharded_tensor(value: Tensor) -> Tensor:
    """A sharded tensor put together on every process, all of which take part; a plain one as it is."""
    sharded: Any = value
    found: Tensor = sharded.full_tensor() if is_sharded(value) else value
    return found


def whole_tensors(named: Mapping[str, HeldTensor], like: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor whole, by rising name, one in memory at a time; all processes take part."""
    for name in sorted(named):
        yield name, unsharded_tensor(placed_as(named[name], like[name]))


def gather_whole_tensors(named: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Sharded tensors whole, on the CPU of the process that keeps them; one at a time on the others, which take part.

    One tensor under two names, as a tied head is, stays one.
    """
    wholes: dict[int, Tensor] = {}
    for value in {id(value): value for value in named.values()}.values():
        whole = unsharded_tensor(value.detach())
        if keep:
            wholes[id(value)] = whole.cpu() if is_sharded(value) else whole
    return {name: wholes[id(value)] for name, value in named.items()} if keep else {}


def _shard_place(value: Tensor) -> tuple[int, int] | None:
    """Which of how many shards of a tensor is here; None where it is not sharded."""
    sharded: Any = value
    cuts = [axis for axis, one in enumerate(sharded.placements) if not one.is_replicate()] if is_sharded(value) else []
    if not cuts:
        return None
    if len(cuts) > 1 or not sharded.placements[cuts[0]].is_shard(dim=0):
        raise ValueError(f"a tensor that is sharded as {sharded.placements}")
    return sharded.device_mesh.get_local_rank(cuts[0]), sharded.device_mesh.size(cuts[0])


def _is_first_copy(value: Tensor) -> bool:
    """Whether this process is the first of those that hold the same rows of a sharded parameter."""
    sharded: Any = value
    copies = [axis for axis, one in enumerate(sharded.placements) if one.is_replicate()]
    return all(sharded.device_mesh.get_local_rank(axis) == 0 for axis in copies)


def _local_tensor(value: Tensor) -> Tensor:
    """The part of a sharded parameter that is in this process, as a plain tensor."""
    sharded: Any = value.detach()
    found: Tensor = sharded.to_local() if is_sharded(value) else sharded
    return found
