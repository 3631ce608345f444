"""Checkpoints of two ranks that hold a network between them: gone on with by two, by one, and by two again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.parallel.conftest import EXACT, Pair, assert_bit_equal, rows_of, tensors_of
from tests.parallel.test_pair import SHARD
from tests.training.conftest import train_in
from tvo_cli import experiment
from tvo_cli.checkpoint import checkpoint_folders

ROLLBACK = (
    *("stability=act", "stability.snapshot_every=1", "stability.rules.kl_ceiling.severity=collapse"),
    *("stability.rules.kl_ceiling.limit=1e-9", "stability.rules.kl_ceiling.patience=1"),
)
KINDS = {"grpo": ("algorithm=grpo",), "ppo": ("algorithm=ppo",), "rollback": ("algorithm=grpo", *ROLLBACK)}
THIRD = "trainer.steps=3"


def assert_as_alone(pair: Pair, kind: str, folder: Path, *words: str) -> None:
    """The tensors of one process: the same bits, or as near as norms are that shards sum in another order.

    PPO's critic is clipped to such a norm.
    """
    one, other = tensors_of(pair.alone(*words)), tensors_of(folder)
    if kind != "ppo":
        assert_bit_equal(one, other)
    assert [name for name in one if not torch.allclose(one[name].double(), other[name].double(), 0, 1e-6)] == []


def parts_in(folder: Path) -> set[str]:
    """The names of a checkpoint's files of tensors."""
    return {path.name for path in folder.glob("*.safetensors")}


@pytest.mark.slow
def test_what_two_ranks_recorded_one_process_replays_to_the_bit(pair: Pair) -> None:
    words = (*EXACT, *KINDS["grpo"], "recorder.steps=[2]")
    folder = pair.finished("shared", *words, SHARD)
    record, [replayed] = experiment.replay(folder, 2, [])
    assert replayed.weights_after == record["weights_after"] != record["weights_before"]
    recorded = parts_in(folder / "recorder" / "step-000002")
    assert {"policy-00002-of-00002.safetensors", "optimizer-00002-of-00002.safetensors"} <= recorded


@pytest.mark.slow
def test_a_disk_that_fills_on_one_rank_ends_both_with_the_old_checkpoint(pair: Pair) -> None:
    words = (*EXACT, SHARD, "trainer.checkpoint_every=1")
    folder, outcomes = pair.train("full", *words, fault={"rank": 1, "kind": "full disk", "at": 2})
    assert [one["outcome"] for one in outcomes] == ["UserError"] * 2
    assert "on rank 1" in outcomes[0]["text"] and outcomes[0] == outcomes[1]
    assert [path.name for path in (folder / "checkpoints").glob("[.s]*")] == ["step-000001"]
    assert_bit_equal(tensors_of(pair.alone(*EXACT)), tensors_of(pair.finished("full", *words)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_then_two_then_one_end_in_the_bits_of_one(pair: Pair, kind: str) -> None:
    words = (*EXACT, *KINDS[kind])
    folder = pair.root / f"turns-{kind}"
    train_in(folder, (*words, "trainer.steps=1"))
    pair.finished(folder.name, *words, SHARD)
    train_in(folder, (*words, THIRD))
    assert_as_alone(pair, kind, folder, *words, THIRD)
    if kind == "rollback":
        assert rows_of(folder)[-1]["stability/rollbacks"] > 0, "the test tells nothing"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alone", [True, False])
def test_stopped_between_two_updates_it_goes_on(pair: Pair, kind: str, alone: bool) -> None:
    """With the batch, and the slices of the state before it, in the checkpoint; two ranks to the same bits."""
    words, name = (*EXACT, *KINDS[kind], "recorder.steps=[1,2]"), f"cut-{kind}-{alone}"
    folder, outcomes = pair.train(name, *words, SHARD, fault={"rank": 1, "kind": "signal", "at": 2})
    assert [one["outcome"] for one in outcomes] == ["Interrupted"] * 2
    [cut] = checkpoint_folders.list_checkpoints(folder / "checkpoints")
    assert cut.name == "step-000000-update-002" and "work-00002-of-00002.safetensors" in parts_in(cut)
    if alone:
        train_in(folder, words)
        assert_as_alone(pair, kind, folder, *words)
    else:
        undisturbed = pair.finished(f"whole-{kind}", *words, SHARD)
        assert_bit_equal(tensors_of(undisturbed), tensors_of(pair.finished(name, *words, SHARD)))
