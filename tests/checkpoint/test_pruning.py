"""Which checkpoints pruning keeps, and what it makes of those that a kill left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkpoint.small_checkpoints import write
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders, checkpoint_writer, pruning


def test_pruning_keeps_the_newest(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        write(tmp_path, step)
    pruning.prune_checkpoints(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000030", "step-000040"]


@pytest.mark.parametrize(("healthy", "kept"), [((17,), [10, 30, 40]), ((9,), [30, 40]), ((20, 35), [20, 30, 40])])
def test_pruning_keeps_the_last_healthy_one(tmp_path: Path, healthy: tuple[int, ...], kept: list[int]) -> None:
    for step in (10, 20, 30, 40):
        write(tmp_path, step)
    checkpoint_writer.save_checkpoint(
        tmp_path / checkpoint_folders.checkpoint_name(10, 3), tensors={}, state={}
    )  # amid the step after it
    pruning.prune_checkpoints(tmp_path, keep=2, healthy=healthy)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        checkpoint_folders.checkpoint_name(step) for step in kept
    ]


def test_pruning_never_counts_a_damaged_one_as_the_last_that_is_whole(tmp_path: Path) -> None:
    for step in (10, 12):
        write(tmp_path, step)
    damaged = checkpoint_writer.save_checkpoint(
        tmp_path / checkpoint_folders.checkpoint_name(15, 1), tensors={}, state={}
    )
    (damaged / checkpoint_writer.STATE).write_text("{")
    pruning.prune_checkpoints(tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000012"]
    saved = write(tmp_path, 13)
    (write(tmp_path, 15) / checkpoint_writer.STATE).write_text("{")
    pruning.prune_checkpoints(tmp_path, keep=1, saved=saved)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000013"]


def test_a_checkpoint_is_removed_beside_what_an_earlier_removal_has_left(tmp_path: Path) -> None:
    """A process was killed while it removed the checkpoint of step 10, and the run has written that one again."""
    folder, left = write(tmp_path, 10), tmp_path / ".step-000010.old"
    (left / "policy").mkdir(parents=True)
    (left / "policy" / "model.safetensors").write_text("half")
    pruning.remove_checkpoint(folder)
    assert list(tmp_path.iterdir()) == []


def test_one_killed_while_it_was_replaced_comes_back(tmp_path: Path) -> None:
    old = write(tmp_path, 10)
    old.rename(tmp_path / ".step-000010.old")
    (tmp_path / ".step-000020.old").mkdir()
    (tmp_path / ".step-000030.partial").mkdir()
    pruning.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000010"] and not checkpoint_damage.find_damage(old)
