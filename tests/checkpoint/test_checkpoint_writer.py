"""Checkpoints are written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Never

import pytest

from tests.checkpoint.small_checkpoints import write
from tvo_cli.checkpoint import checkpoint_writer


def test_a_failure_while_writing_leaves_the_old_one_and_no_trace(tmp_path: Path) -> None:
    old = write(tmp_path, 10)

    def breaks(folder: Path) -> Never:
        folder.mkdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        checkpoint_writer.save_checkpoint(tmp_path / "step-000020", policy=breaks, tensors={}, state={})
    assert [path.name for path in tmp_path.iterdir()] == [old.name]
