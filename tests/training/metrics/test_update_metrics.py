"""Readings of a step's updates."""

from __future__ import annotations

import pytest

from tests.training.conftest import MetricRows, Runs
from tvo_cli.training.batch import RolloutBatch


@pytest.mark.parametrize(
    "words",
    [
        ("algorithm=clip_b", "algorithm.advantage_shaping.clip_b.width=0.5"),
        (
            "algorithm=clip_v",
            "algorithm.advantage_shaping.clip_v.width=0.1",
            "algorithm.advantage_shaping.clip_v.share=1",
        ),
    ],
)
def test_tokens_that_a_shaping_leaves_out_of_the_loss_are_clipped(
    run: Runs, steps: MetricRows, batches: list[RolloutBatch], words: tuple[str, ...]
) -> None:
    """At π = π_old nothing else is; those without an advantage lose nothing."""
    [row] = steps(run("a", *words, "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1", "rollout.samples=4"))
    [batch] = batches
    counted = batch.advantage.counted
    assert counted is not None
    lost = total = 0
    for mask, kept, values in zip(batch.experience.mask, counted, batch.advantage.values, strict=True):
        for there, keeps, value in zip(mask.tolist(), kept.tolist(), values.tolist(), strict=True):
            total += there
            lost += there and not keeps and value != 0.0
    assert 0 < lost < total and row["policy/clipped"] == pytest.approx(lost / total)
    assert row["policy/damped"] == pytest.approx(0.0, abs=1e-4), "it is of the tokens that the loss counts"
