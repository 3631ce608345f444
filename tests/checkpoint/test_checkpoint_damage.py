"""Damage of a checkpoint is found, and the one before it taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkpoint.small_checkpoints import write
from tvo_cli.checkpoint import checkpoint_damage
from tvo_cli.checkpoint.manifest import MANIFEST


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest"])
def test_a_damaged_one_is_passed_over_with_a_message(tmp_path: Path, damage: str) -> None:
    good, bad = write(tmp_path, 10), write(tmp_path, 20)
    victim = bad / "optimizer.safetensors"
    content = bytearray(victim.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
        victim.write_bytes(content)
    elif damage == "cut":
        victim.write_bytes(content[:-3])
    elif damage == "missing":
        victim.unlink()
    else:
        (bad / MANIFEST).write_text("{")
    said: list[str] = []
    assert checkpoint_damage.newest_whole_checkpoint(tmp_path, said.append) == good
    assert len(said) == 1 and "step-000020" in said[0]
