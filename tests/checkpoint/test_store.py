"""Checkpoints: whole or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Never

import pytest
import torch
from torch import Tensor

from tvo_cli.checkpoint import checkpoint_damage, checkpoint_writer, optimizer_state, pruning, store
from tvo_cli.checkpoint.tensor_slice import values_held


def write(root: Path, step: int) -> Path:
    def policy(folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights of step %d" % step)

    tensors = {"optimizer": {"0.exp_avg": torch.arange(6.0).view(2, 3).T}}
    return checkpoint_writer.save_checkpoint(
        root / store.checkpoint_name(step), policy=policy, tensors=tensors, state={"step": step}
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = write(tmp_path, 10)
    assert folder.name == "step-000010"
    parts, state = store.load_checkpoint(folder)
    assert torch.equal(values_held(parts["optimizer"]["0.exp_avg"]), torch.arange(6.0).view(2, 3).T)
    assert state == {"step": 10}
    assert checkpoint_damage.find_damage(folder) == ""


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
        (bad / checkpoint_writer.MANIFEST).write_text("{")
    said: list[str] = []
    assert checkpoint_damage.newest_whole_checkpoint(tmp_path, said.append) == good
    assert len(said) == 1 and "step-000020" in said[0]


def test_a_failure_while_writing_leaves_the_old_one_and_no_trace(tmp_path: Path) -> None:
    old = write(tmp_path, 10)

    def breaks(folder: Path) -> Never:
        folder.mkdir()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        checkpoint_writer.save_checkpoint(tmp_path / "step-000020", policy=breaks, tensors={}, state={})
    assert [path.name for path in tmp_path.iterdir()] == [old.name]


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
        tmp_path / store.checkpoint_name(10, 3), tensors={}, state={}
    )  # amid the step after it
    pruning.prune_checkpoints(tmp_path, keep=2, healthy=healthy)
    assert sorted(path.name for path in tmp_path.iterdir()) == [store.checkpoint_name(step) for step in kept]


def test_pruning_never_counts_a_damaged_one_as_the_last_that_is_whole(tmp_path: Path) -> None:
    for step in (10, 12):
        write(tmp_path, step)
    damaged = checkpoint_writer.save_checkpoint(tmp_path / store.checkpoint_name(15, 1), tensors={}, state={})
    (damaged / checkpoint_writer.STATE).write_text("{")
    pruning.prune_checkpoints(tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000012"]
    saved = write(tmp_path, 13)
    (write(tmp_path, 15) / checkpoint_writer.STATE).write_text("{")
    pruning.prune_checkpoints(tmp_path, keep=1, saved=saved)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000013"]


def test_one_killed_while_it_was_replaced_comes_back(tmp_path: Path) -> None:
    old = write(tmp_path, 10)
    old.rename(tmp_path / ".step-000010.old")
    (tmp_path / ".step-000020.old").mkdir()
    (tmp_path / ".step-000030.partial").mkdir()
    pruning.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000010"] and not checkpoint_damage.find_damage(old)


def test_an_optimiser_goes_on_as_if_nothing_had_happened() -> None:
    def steps(count: int, restored: tuple[Tensor, dict[str, Tensor]] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        network = torch.nn.ParameterDict({"weight": torch.ones(3)})
        weight, optimizer = network["weight"], torch.optim.AdamW(network.parameters(), lr=0.1)
        for k in range(count):
            if restored and k == 2:
                with torch.no_grad():
                    weight.copy_(restored[0])
                optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
                optimizer_state.restore_optimizer(optimizer, restored[1], network)
            weight.grad = torch.tensor([1.0, -2.0, 0.5]) * (k + 1)
            optimizer.step()
        state = optimizer_state.optimizer_tensors(optimizer, network)
        return weight.detach().clone(), {name: values_held(value).clone() for name, value in state.items()}

    middle = steps(2)
    assert middle[1].keys() == {"weight|step", "weight|exp_avg", "weight|exp_avg_sq"}
    assert torch.equal(steps(5)[0], steps(5, middle)[0])
