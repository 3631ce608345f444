"""Runs whose first batches an inner block's policy learns from (BuPO)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.conftest import Checksum, MetricRows, Runs, trained_policy
from tvo_cli.training.batch import RolloutBatch

pytestmark = pytest.mark.slow
GRPO = (
    *("algorithm.objective.surrogate.dual=inf", "rollout.epochs=1"),
    "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
)
PIECE = "_target_: tvo_cli.objective.InternalPolicy, depth: 0.5, steps: 2"
EVERY = ("algorithm=bupo", "trainer.checkpoint_every=1", "trainer.keep=9", "trainer.steps=3")


def names_that_differ(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


def test_above_the_block_nothing_moves_until_the_whole_network_learns(run: Runs) -> None:
    folder = run("bupo", *EVERY, "algorithm.internal_policy.steps=2", "optimizer.make.weight_decay=0.1")
    first, second, third = (trained_policy(folder, step) for step in (1, 2, 3))
    above = {name for name in first if "layers.1." in name or name == "model.norm.weight"}
    assert names_that_differ(first, second) == set(first) - above
    assert names_that_differ(second, third) == set(first)


def test_the_batch_remembers_whose_it_is_and_responses_are_the_whole_networks(
    run: Runs, batches: list[RolloutBatch]
) -> None:
    run("bupo", *EVERY, "algorithm.internal_policy.steps=2")
    assert [batch.experience.internal for batch in batches] == [True, True, False]
    inner, _, whole = batches
    assert (inner.experience.old_logp - inner.rollout.logp).abs().max() > 0.1
    torch.testing.assert_close(whole.experience.old_logp, whole.rollout.logp)
    assert inner.importance is None


def test_entropy_and_mismatch_are_the_whole_networks(run: Runs, steps: MetricRows) -> None:
    rows = steps(run("bupo", *EVERY, "algorithm.internal_policy.steps=2"))
    assert ["policy/mismatch" in row for row in rows] == [False, False, True]
    assert all(row["policy/entropy"] < 1.5 for row in rows)  # log 40 would be an inner block's


def test_the_divergence_from_the_reference_is_the_whole_networks(
    run: Runs, steps: MetricRows, batches: list[RolloutBatch]
) -> None:
    rows = steps(run("bupo", *EVERY, "algorithm.internal_policy.steps=2", "stability.reference=true"))
    start, inner, later = (batch.experience for batch in batches)
    assert start.whole_ref_logp is not None and inner.whole_ref_logp is not None and inner.ref_logp is not None
    torch.testing.assert_close(start.whole_ref_logp, batches[0].rollout.logp, rtol=1e-4, atol=1e-5)
    assert (inner.whole_ref_logp - inner.ref_logp).abs().max() > 0.1 and later.whole_ref_logp is None
    moved = (batches[1].rollout.logp - inner.whole_ref_logp)[inner.mask].mean()
    assert rows[1]["policy/kl_ref_k1"] == pytest.approx(float(moved), abs=1e-6) and abs(float(moved)) > 1e-6


def test_without_such_steps_it_is_its_base_bit_for_bit(run: Runs, weights: Checksum) -> None:
    one = run("bupo", "algorithm=bupo", "algorithm.internal_policy.steps=0", *GRPO)
    other = run("grpo", "algorithm=grpo", "rollout.epochs=1")
    mine, its = trained_policy(one, 4), trained_policy(other, 4)
    assert names_that_differ(mine, its) == set()
    inner = run("inner", "algorithm=bupo", *GRPO)
    assert names_that_differ(mine, trained_policy(inner, 4))


def test_a_run_stopped_at_every_update_over_the_switch_ends_in_the_same_bits(
    run: Runs, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> None:
    words = ("algorithm=bupo", "algorithm.internal_policy.steps=1", "trainer.steps=2", "rollout.epochs=1")
    whole, (cut, stops) = run("whole", *words), in_pieces("cut", *words)
    assert stops >= 3
    assert steps(cut) == steps(whole) and weights(cut, 2) == weights(whole, 2)


@pytest.mark.parametrize("extra", ["adapter=lora", "model.gradient_checkpointing=true", "trainer.old_logp=trainer"])
def test_it_goes_with(run: Runs, steps: MetricRows, extra: str) -> None:
    rows = steps(run("bupo", *EVERY, "algorithm.internal_policy.steps=2", extra))
    assert [row["optimizer/steps"] for row in rows] == [4.0] * 3


def test_a_run_in_which_the_whole_network_never_learns_says_so(run: Runs, caplog: pytest.LogCaptureFixture) -> None:
    run("short", "algorithm=bupo", "trainer.steps=1", "algorithm.internal_policy.steps=1")
    assert "for all 1 steps: the whole network's never does" in caplog.text
    run("long", "algorithm=bupo", "trainer.steps=2", "algorithm.internal_policy.steps=1")
    assert "1 steps, then the whole network's" in caplog.text


REFUSING = ("stability.refuse=0.01", "rollout.prompts=4", "rollout.samples=4", "rollout.minibatches=1")


@pytest.mark.parametrize(
    "words",
    [
        ("algorithm=bupo", "algorithm.internal_policy.steps=2", *REFUSING),
        ("algorithm=scope", "+algorithm.internal_policy={" + PIECE + "}"),
    ],
    ids=["refused batch", "tempered branch"],
)
def test_the_entropy_is_of_what_the_whole_network_sampled(words: tuple[str, ...], run: Runs, steps: MetricRows) -> None:
    rows = steps(run("entropy", *words, "rollout.epochs=1", "trainer.steps=2"))
    if REFUSING[0] in words:
        assert rows[1]["stability/refused"] == 1
    for row in rows:
        surprise = row["thermo/entropy"] / row["response/length"]
        assert row["policy/entropy_sampled"] == pytest.approx(surprise, rel=1e-5)
