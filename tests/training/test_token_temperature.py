"""HAPO's temperature of tokens in whole runs: it acts from the second batch on, by the first, and survives a stop."""

from __future__ import annotations

import json

import pytest
import torch

from tests.training.conftest import Runs
from tvo_cli.maths.entropy_level import entropy_levels
from tvo_cli.training.batch import RolloutBatch

HAPO = ("algorithm=hapo", "rollout.samples=4", "rollout.epochs=1", "trainer.steps=2", "algorithm.sampling.most=1")


def responses(batch: RolloutBatch) -> list[list[int]]:
    return [ids[mask].tolist() for ids, mask in zip(batch.rollout.response_ids, batch.rollout.mask)]


@pytest.mark.slow
def test_the_second_batch_follows_the_first_ones_entropies(run: Runs, batches: list[RolloutBatch]) -> None:
    strong = "algorithm.token_temperature.strength=0.9"
    folder = run("a", *HAPO, strong)
    run("b", *HAPO, "algorithm.token_temperature.strength=0")
    heated, plain = batches[:2], batches[2:]
    assert responses(heated[0]) == responses(plain[0]), "nothing is known before the first"
    assert responses(heated[1]) != responses(plain[1])
    state = json.loads((folder / "checkpoints" / "step-000002" / "state.json").read_text())
    held = state["algorithm"]["token_temperature"]
    entropy = heated[1].experience.old_entropy
    assert entropy is not None
    assert held == pytest.approx(entropy_levels(entropy, heated[1].rollout.mask, 0.8)._asdict())
    first = heated[1].rollout
    torch.testing.assert_close(heated[1].experience.old_logp, first.logp)


@pytest.mark.slow
def test_strength_0_is_the_algorithm_without_it(run: Runs, batches: list[RolloutBatch]) -> None:
    run("a", *HAPO, "algorithm.token_temperature.strength=0")
    run("b", *HAPO, "algorithm.token_temperature=null")
    assert all(responses(one) == responses(other) for one, other in zip(batches[:2], batches[2:]))
    for one, other in zip(batches[:2], batches[2:]):
        assert torch.equal(one.rollout.logp, other.rollout.logp)
