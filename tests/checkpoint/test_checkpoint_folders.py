"""Checkpoints are read back as they were written."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.checkpoint.small_checkpoints import write
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders
from tvo_cli.checkpoint.tensor_slice import values_held


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = write(tmp_path, 10)
    assert folder.name == "step-000010"
    parts, state = checkpoint_folders.load_checkpoint(folder)
    assert torch.equal(values_held(parts["optimizer"]["0.exp_avg"]), torch.arange(6.0).view(2, 3).T)
    assert state == {"step": 10}
    assert checkpoint_damage.find_damage(folder) == ""
