"""A slice of a tensor that a process holds: consecutive rows, along dimension 0.

A tensor that no process cuts is a plain Tensor everywhere; `HeldTensor` is either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class RowRange(NamedTuple):
    """Rows begin to end of a tensor that has `of` of them."""

    begin: int
    end: int
    of: int


class TensorSlice(NamedTuple):
    """Consecutive rows of a tensor: rows [n, …] are the whole's from `begin` to begin + n, of its `of`."""

    rows: Tensor
    begin: int
    of: int
    is_owned: bool = True  # False: another process, which holds the same rows, writes them

    @property
    def range(self) -> RowRange:
        """Which rows they are."""
        return RowRange(self.begin, self.begin + len(self.rows), self.of)


HeldTensor = Tensor | TensorSlice
HeldParts = Mapping[str, Mapping[str, HeldTensor]]


def values_held(held: HeldTensor) -> Tensor:
    """The numbers that are held: a plain tensor, or the rows of a slice."""
    return held.rows if isinstance(held, TensorSlice) else held


def with_values(held: HeldTensor, values: Tensor) -> HeldTensor:
    """The same slice, or plain tensor, of other numbers."""
    return held._replace(rows=values) if isinstance(held, TensorSlice) else values


def held_copy_on_cpu(held: HeldTensor) -> HeldTensor:
    """A copy off the training device."""
    return with_values(held, values_held(held).to("cpu", copy=True))


def bytes_held(named: Mapping[str, HeldTensor]) -> int:
    """Bytes of what is held under these names."""
    found = map(values_held, named.values())
    return sum(value.numel() * value.element_size() for value in found)


def whole_values(held: HeldTensor, name: str) -> Tensor:
    """A tensor that must not be a slice.

    Raises:
        TypeError: it is one.
    """
    if isinstance(held, TensorSlice):
        raise TypeError(f"{name} is a slice, rows {held.range}, where a whole tensor is needed")
    return held


def rows_of_whole(whole: Tensor, wanted: RowRange) -> TensorSlice:
    """Rows of a whole tensor, in memory of their own."""
    return TensorSlice(whole[wanted.begin : wanted.end].clone(), wanted.begin, wanted.of)


def even_row_range(size: int, index: int, count: int) -> RowRange:
    """The index-th of `count` blocks of ⌈size ÷ count⌉ rows; the last ones are shorter, or empty."""
    each = -(-size // count)
    begin = min(index * each, size)
    return RowRange(begin, min(begin + each, size), size)


def held_copies_on_cpu(named: Mapping[str, HeldTensor]) -> dict[str, HeldTensor]:
    """Copies of tensors and slices off the training device, whose memory a large model needs for itself.

    By rising name: an optimiser that was restored has another order than one that was not, and a state the same bytes.
    """
    return {name: held_copy_on_cpu(named[name]) for name in sorted(named)}
