"""Reading tensors of safetensors files, whole or any rows of them, also where several files hold a slice each.

A file of slices says in its metadata which rows of a tensor it holds: {"name": "[begin, end, of]"} along dimension 0.
A tensor without such an entry is whole. Nothing but the files that hold wanted rows is read beyond its header.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tvo_cli.checkpoint.tensor_slice import HeldTensor, RowRange, TensorSlice, values_held
from tvo_cli.errors import UserError

Shape = tuple[int, ...]
RowsWanted = Callable[[str, Shape], RowRange | None]  # of a tensor's name and shape; None: the whole


class StoredPiece(NamedTuple):
    """What one file holds of a tensor: rows begin to end of `of`, or all of it."""

    file: Path
    shape: Shape  # in the file
    dtype: str
    rows: RowRange | None  # None: the whole tensor


def whole_wanted(name: str, shape: Shape) -> RowRange | None:
    """Ask for whole tensors."""
    return None


def write_tensors(file: Path, named: Mapping[str, HeldTensor]) -> None:
    """Store tensors and slices in one safetensors file, from which any rows are read again."""
    rows = {name: json.dumps(list(held.range)) for name, held in named.items() if isinstance(held, TensorSlice)}
    save_file({name: values_held(held).contiguous() for name, held in named.items()}, file, metadata=rows or None)


def read_tensors(files: Sequence[Path], wanted: RowsWanted = whole_wanted) -> dict[str, HeldTensor]:
    """The tensors that files hold together, by name: whole, or the rows that are wanted.

    Raises:
        UserError: the slices in the files are not the whole of a tensor, once.
    """
    stored = index_of_files(files)
    ranges = {name: wanted(name, whole_shape(pieces)) for name, pieces in stored.items()}
    needed = {name: _pieces_read(pieces, ranges[name]) for name, pieces in stored.items()}
    rows: dict[str, dict[Path, Tensor]] = {name: {} for name in stored}
    for file, names in _names_by_file(needed).items():
        with safe_open(file, framework="pt") as content:
            for name, piece in names:
                rows[name][file] = _read_rows(content, name, piece, ranges[name])
    ordered = {name: [rows[name].pop(piece.file) for piece in pieces] for name, pieces in needed.items()}
    return {name: _joined_rows(ordered.pop(name), ranges[name]) for name in stored}


def index_of_files(files: Sequence[Path]) -> dict[str, list[StoredPiece]]:
    """Every tensor's pieces in the order of their rows, checked.

    Raises:
        UserError: as `read_tensors`.
    """
    found: dict[str, list[StoredPiece]] = defaultdict(list)
    for file in files:
        for name, piece in _pieces_of_file(file):
            found[name].append(piece)
    for name, pieces in found.items():
        pieces.sort(key=lambda piece: (piece.rows or RowRange(0, 0, 0), piece.file))
        _check_tensor_pieces(name, pieces)
    return dict(found)


def whole_shape(pieces: Sequence[StoredPiece]) -> Shape:
    """The shape of the whole tensor of which safetensors files store these pieces."""
    first = pieces[0]
    return first.shape if first.rows is None else (first.rows.of, *first.shape[1:])


def _pieces_of_file(file: Path) -> Iterator[tuple[str, StoredPiece]]:
    """Yield what one safetensors file holds of each tensor, from its header."""
    with safe_open(file, framework="pt") as content:
        metadata = content.metadata() or {}
        for name in content.keys():  # noqa: SIM118 (a file of safetensors is no mapping)
            header = content.get_slice(name)
            shape = tuple(header.get_shape())
            rows = _stored_range(file, name, shape, metadata[name]) if name in metadata else None
            yield name, StoredPiece(file, shape, str(header.get_dtype()), rows)


def _stored_range(file: Path, name: str, shape: Shape, text: str) -> RowRange:
    """The rows that a file says it holds, which must be as many as it holds."""
    try:
        begin, end, size = map(int, json.loads(text))
    except (ValueError, TypeError):
        raise _refusal(file, name, f"its rows are {text!r}, which says nothing") from None
    if not 0 <= begin <= end <= size or not shape or end - begin != shape[0]:
        raise _refusal(file, name, f"it is said to be rows {begin} to {end} of {size}, and its shape is {list(shape)}")
    return RowRange(begin, end, size)


def _check_tensor_pieces(name: str, pieces: Sequence[StoredPiece]) -> None:
    """Refuse pieces that are not the whole tensor, once."""
    first = pieces[0]
    for piece in pieces[1:]:
        if piece.rows is None or first.rows is None:
            raise _refusal(piece.file, name, f"{first.file.name} holds it too")
        if (piece.rows.of, piece.shape[1:], piece.dtype) != (first.rows.of, first.shape[1:], first.dtype):
            raise _refusal(
                piece.file, name, f"it is {_tensor_piece_text(piece)}; in {first.file.name} {_tensor_piece_text(first)}"
            )
    if first.rows is not None:
        _check_rows_meet(name, pieces, first.rows.of)


def _check_rows_meet(name: str, pieces: Sequence[StoredPiece], size: int) -> None:
    """Refuse a gap or an overlap between pieces in the order of their rows."""
    held = [(piece.rows, piece.file) for piece in pieces if piece.rows is not None and piece.shape[0]]
    edges = [(RowRange(0, 0, size), pieces[0].file), *held, (RowRange(size, size, size), pieces[-1].file)]
    for (one, earlier), (other, file) in pairwise(edges):
        if one.end < other.begin:
            raise _refusal(file, name, f"rows {one.end} to {other.begin} of {size} are in no file")
        if one.end > other.begin:
            raise _refusal(file, name, f"rows {other.begin} to {min(one.end, other.end)} are in {earlier.name} too")


def _tensor_piece_text(piece: StoredPiece) -> str:
    """A stored piece as an error names it: dtype and shape of the whole tensor."""
    return f"{piece.dtype} {list(whole_shape([piece]))}"


def _refusal(file: Path, name: str, problem: str) -> UserError:
    """The error for a tensor whose files do not fit together."""
    return UserError("checkpoint", file, f"tensor {name}: {problem}.", "The checkpoint before it may be whole.")


def _pieces_read(pieces: Sequence[StoredPiece], wanted: RowRange | None) -> Sequence[StoredPiece]:
    """The pieces that hold wanted rows; where no row is wanted the first, which says the shape."""
    if wanted is None and pieces[0].rows is None:
        return pieces
    begin, end, _ = wanted or RowRange(0, whole_shape(pieces)[0], 0)
    return [piece for piece in pieces if _overlap(piece, begin, end)] or pieces[:1]


def _overlap(piece: StoredPiece, begin: int, end: int) -> range:
    """The rows, counted in the piece, that are among begin to end of the tensor."""
    first, last = (0, piece.shape[0]) if piece.rows is None else piece.rows[:2]
    return range(max(first, begin) - first, min(last, end) - first)


def _names_by_file(needed: Mapping[str, Sequence[StoredPiece]]) -> Mapping[Path, list[tuple[str, StoredPiece]]]:
    """What is read of each file, so that each is opened once."""
    found: dict[Path, list[tuple[str, StoredPiece]]] = defaultdict(list)
    for name, pieces in needed.items():
        for piece in pieces:
            found[piece.file].append((name, piece))
    return found


def _read_rows(content: Any, name: str, piece: StoredPiece, wanted: RowRange | None) -> Tensor:
    """The wanted rows of a piece of an opened file."""
    if wanted is None:
        whole: Tensor = content.get_tensor(name)
        return whole
    rows = _overlap(piece, wanted.begin, wanted.end) or range(0)
    found: Tensor = content.get_slice(name)[rows.start : rows.stop]
    return found


def _joined_rows(pieces: list[Tensor], wanted: RowRange | None) -> HeldTensor:
    """The rows that were read of a tensor's files as one tensor, or the slice that was wanted."""
    rows = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
    return rows if wanted is None else TensorSlice(rows, wanted.begin, wanted.of)
