"""A checkpoint of one small tensor, for the tests of its folder."""

from __future__ import annotations

from pathlib import Path

import torch

from tvo_cli.checkpoint import checkpoint_folders, checkpoint_writer


def write(root: Path, step: int) -> Path:
    def policy(folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights of step %d" % step)

    tensors = {"optimizer": {"0.exp_avg": torch.arange(6.0).view(2, 3).T}}
    return checkpoint_writer.save_checkpoint(
        root / checkpoint_folders.checkpoint_name(step), policy=policy, tensors=tensors, state={"step": step}
    )
