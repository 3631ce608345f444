"""A small state of which each rank holds slices: uneven ones, empty ones, numbers, and tensors that all hold whole."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tests.checkpoint.thread_ranks import ThreadRank, results, run_ranks
from tvo_cli.checkpoint import checkpoint_folders, checkpoint_writer
from tvo_cli.checkpoint.rows_to_load import RowsToLoad
from tvo_cli.checkpoint.tensor_slice import HeldTensor, even_row_range, rows_of_whole

RNG = torch.Generator().manual_seed(0)
SHARDED = {  # parameter → its moment
    "embed.weight": torch.randn(7, 3, generator=RNG),
    "norm.weight": torch.randn(5, generator=RNG),
    "lone.weight": torch.randn(1, 4, generator=RNG).bfloat16(),
    "head.weight": torch.randn(6, 2, 2, generator=RNG),
    "codes.weight": torch.arange(12, dtype=torch.uint8).view(4, 3),
}
WHOLE: dict[str, Tensor] = {"norm.weight|step": torch.tensor(3.0), "count|step#number": torch.tensor(4)}
STREAMS = {"numpy": torch.arange(5), "torch": torch.arange(9, dtype=torch.uint8)}
POLICY = {"model.safetensors": b"weights", "config.json": b"{}"}


def moments() -> dict[str, Tensor]:
    """The whole optimiser's state."""
    return {f"{name}|exp_avg": value for name, value in SHARDED.items()} | WHOLE


def parts_of_rank(rank: int, count: int) -> dict[str, dict[str, HeldTensor]]:
    """What a rank holds of it."""
    cut: dict[str, HeldTensor] = {
        f"{name}|exp_avg": rows_of_whole(value, even_row_range(len(value), rank, count))
        for name, value in SHARDED.items()
    }
    return {"optimizer": {**WHOLE, **cut}, "streams": dict(STREAMS)}


def rows_of_rank(rank: int, count: int) -> RowsToLoad:
    """Which rows a rank asks for."""
    ranges = {name: (even_row_range(len(value), rank, count), tuple(value.shape)) for name, value in SHARDED.items()}
    return RowsToLoad({"policy": ranges, "optimizer": ranges})


def save(root: Path, step: int, rank: ThreadRank) -> Path:
    """Write the checkpoint of a step with the other ranks."""

    def policy(folder: Path) -> None:
        if rank.rank == 0:
            folder.mkdir()
            for name, content in POLICY.items():
                (folder / name).write_bytes(content)

    return checkpoint_writer.save_checkpoint(
        root / checkpoint_folders.checkpoint_name(step),
        tensors=parts_of_rank(rank.rank, rank.count),
        state={"step": step},
        policy=policy,
        ranks=rank,
    )


def saved_by(count: int, root: Path, step: int = 10) -> Path:
    """The checkpoint that so many ranks write together."""
    return results(run_ranks(count, lambda rank: save(root, step, rank)))[0]
