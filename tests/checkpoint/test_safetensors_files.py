"""Tensors in files: any rows of a slice read back, and files that together are no tensor refused by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tvo_cli.checkpoint.safetensors_files import read_tensors, write_tensors
from tvo_cli.checkpoint.shard_files import shard_file
from tvo_cli.checkpoint.tensor_slice import RowRange, TensorSlice, even_row_range, rows_of_whole, values_held
from tvo_cli.errors import UserError

WHOLE = torch.arange(24.0).view(8, 3)
Slices = list[dict[str, TensorSlice | Tensor]]


def written(folder: Path, slices: Slices) -> list[Path]:
    """A file for each rank's tensors."""
    files = [folder / shard_file("optimizer", number + 1, len(slices)) for number in range(len(slices))]
    for file, named in zip(files, slices):
        write_tensors(file, named)
    return files


def cut(begin: int, end: int, whole: Tensor = WHOLE) -> TensorSlice:
    """Rows of it."""
    return rows_of_whole(whole, RowRange(begin, end, len(whole)))


def asked(wanted: RowRange, name: str, shape: tuple[int, ...]) -> RowRange:
    """Always these rows."""
    return wanted


@pytest.mark.parametrize("cuts", [(0, 8), (0, 3, 8), (0, 3, 3, 6, 8), (0, 0, 8, 8)])
def test_any_rows_are_those_of_the_whole(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    files = written(tmp_path, [{"m": cut(begin, end)} for begin, end in pairwise(cuts)])
    for begin in range(9):
        for end in range(begin, 9):
            wanted = RowRange(begin, end, 8)
            found = read_tensors(files, partial(asked, wanted))["m"]
            assert isinstance(found, TensorSlice) and found.range == wanted
            assert torch.equal(found.rows, WHOLE[begin:end]) and found.rows.shape == (end - begin, 3)
    assert torch.equal(values_held(read_tensors(files)["m"]), WHOLE)


def test_the_order_of_the_files_is_that_of_the_rows(tmp_path: Path) -> None:
    files = written(tmp_path, [{"m": cut(5, 8)}, {"m": cut(0, 5)}])
    assert torch.equal(values_held(read_tensors(files)["m"]), WHOLE)


def test_a_reader_is_told_the_shape_of_the_whole(tmp_path: Path) -> None:
    told: dict[str, tuple[int, ...]] = {}
    files = written(tmp_path, [{"m": cut(0, 8), "step": torch.tensor(1.0), "w": torch.zeros(2, 5)}, {"m": cut(8, 8)}])
    read_tensors(files, lambda name, shape: told.update({name: shape}))
    assert told == {"m": (8, 3), "step": (), "w": (2, 5)}


def stored_range(text: str) -> Callable[[Path], list[Path]]:
    """A file that says of its eight rows which they are."""

    def make(folder: Path) -> list[Path]:
        save_file({"m": WHOLE}, folder / shard_file("optimizer", 1, 1), metadata={"m": text})
        return [folder / shard_file("optimizer", 1, 1)]

    return make


def slices(*named: dict[str, TensorSlice | Tensor]) -> Callable[[Path], list[Path]]:
    """Files of these tensors."""
    return lambda folder: written(folder, list(named))


REFUSED = {
    "a gap": (slices({"m": cut(0, 3)}, {"m": cut(4, 8)}), 2, "rows 3 to 4 of 8 are in no file"),
    "no beginning": (slices({"m": cut(1, 3)}, {"m": cut(3, 8)}), 1, "rows 0 to 1 of 8 are in no file"),
    "no end": (slices({"m": cut(0, 3)}, {"m": cut(3, 7)}), 2, "rows 7 to 8 of 8 are in no file"),
    "no rows at all": (slices({"m": cut(2, 2)}), 1, "rows 0 to 8 of 8 are in no file"),
    "an overlap": (slices({"m": cut(0, 4)}, {"m": cut(3, 8)}), 2, "rows 3 to 4 are in optimizer-00001-of-00002"),
    "twice": (slices({"m": cut(0, 8)}, {"m": cut(0, 8)}), 2, "rows 0 to 8 are in optimizer-00001-of-00002"),
    "inside another": (slices({"m": cut(0, 8)}, {"m": cut(2, 4)}), 2, "rows 2 to 4 are in optimizer-00001-of-00002"),
    "whole in two": (slices({"m": WHOLE}, {"m": WHOLE}), 2, "optimizer-00001-of-00002.safetensors holds it too"),
    "whole beside a slice": (slices({"m": WHOLE}, {"m": cut(3, 8)}), 2, "holds it too"),
    "another width": (
        slices({"m": cut(0, 3)}, {"m": cut(3, 8, WHOLE[:, :2])}),
        *(2, r"it is F32 \[8, 2\]; in optimizer-00001-of-00002.safetensors F32 \[8, 3\]"),
    ),
    "another length": (slices({"m": cut(0, 3)}, {"m": cut(3, 7, WHOLE[:7])}), 2, r"it is F32 \[7, 3\]"),
    "another type": (slices({"m": cut(0, 3)}, {"m": cut(3, 8, WHOLE.bfloat16())}), 2, r"it is BF16 \[8, 3\]"),
    "other rows than it has": (stored_range("[0, 5, 8]"), 1, r"rows 0 to 5 of 8, and its shape is \[8, 3\]"),
    "rows beyond the end": (stored_range("[4, 12, 8]"), 1, "rows 4 to 12 of 8"),
    "no rows named": (stored_range("all of it"), 1, "its rows are 'all of it'"),
    "two numbers": (stored_range("[0, 8]"), 1, "its rows are"),
    "no numbers": (stored_range('{"a": 1}'), 1, "its rows are"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_no_tensor_are_refused_by_file_and_tensor(tmp_path: Path, case: str) -> None:
    make, number, problem = REFUSED[case]
    files = make(tmp_path)
    with pytest.raises(UserError, match=f"{files[number - 1].name}: tensor m: .*{problem}"):
        read_tensors(files)


@pytest.mark.parametrize(
    ("size", "count", "expected"),
    [
        (7, 3, [(0, 3), (3, 6), (6, 7)]),
        (6, 3, [(0, 2), (2, 4), (4, 6)]),
        (5, 4, [(0, 2), (2, 4), (4, 5), (5, 5)]),
        (2, 4, [(0, 1), (1, 2), (2, 2), (2, 2)]),
        (0, 2, [(0, 0), (0, 0)]),
    ],
)
def test_the_rows_of_ranks_are_those_of_torchs_chunks(size: int, count: int, expected: list[tuple[int, int]]) -> None:
    assert [even_row_range(size, index, count)[:2] for index in range(count)] == expected
    chunks = [len(one) for one in torch.arange(size).chunk(count)] if size else []
    assert [end - begin for begin, end in expected if end > begin] == chunks
