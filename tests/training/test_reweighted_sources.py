"""Runs of RECAP on a mixture: weights that move, their base, and a stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.conftest import Checksum, MetricRows, Runs, trained_policy

pytestmark = pytest.mark.slow
MIXTURE = (
    *("dataset=mixture", "+dataset@dataset.sources.short=arithmetic", "+dataset@dataset.sources.long=arithmetic"),
    *("dataset.sources.short.operations=[1,2]", "dataset.sources.short.limit=30", "dataset.sources.long.limit=60"),
)
SHAPING = "algorithm.advantage_shaping.recap"
RECAP = ("algorithm=recap", f"{SHAPING}.window=1", *MIXTURE, "rollout.epochs=1")


def test_the_weights_follow_the_sources_and_are_told(run: Runs, steps: MetricRows) -> None:
    rows = steps(run("recap", *RECAP, f"{SHAPING}.temperature=0.5", "trainer.steps=4"))
    told = [(row["objective/weight/long"], row["objective/weight/short"]) for row in rows[1:]]
    assert told[0] == (1.0, 1.0), "one batch before it"
    assert all(sum(pair) == pytest.approx(2.0) for pair in told)
    assert all(pair != (1.0, 1.0) for pair in told[1:])


def test_at_an_infinite_temperature_it_is_grpo_bit_for_bit(run: Runs) -> None:
    words = (*MIXTURE, "rollout.epochs=1", "trainer.steps=3")
    even, plain = (
        run("even", "algorithm=recap", f"{SHAPING}.window=1", f"{SHAPING}.temperature=inf", *words),
        run("plain", "algorithm=grpo", *words),
    )
    acting = run("acting", *RECAP, "trainer.steps=3")
    mine, its, others = (trained_policy(folder, 3) for folder in (even, plain, acting))
    assert all(torch.equal(mine[name], its[name]) for name in its)
    assert any(not torch.equal(mine[name], others[name]) for name in its)


def test_a_run_stopped_at_every_update_ends_in_the_same_bits(
    run: Runs, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> None:
    words = (*RECAP, f"{SHAPING}.temperature=0.5", "trainer.steps=4")
    whole, (cut, stops) = run("whole", *words), in_pieces("cut", *words, most=9)
    assert stops >= 6
    assert steps(cut) == steps(whole) and weights(cut, 4) == weights(whole, 4)
