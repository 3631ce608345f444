"""Trust-GRPO: the trust in a quality score, its schedule, and the groups that it leaves alone, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.methods.trust_grpo import trust_grpo
from tvo_cli.types import Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "trust_grpo": (
        "grpo",
        [
            "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
            "algorithm.reward_shaping.trust_grpo.strength=0",
        ],
    )
}
SETTINGS: dict[str, Any] = {"quality": "judge", "strength": 0.3, "lifetime": 500.0}


@pytest.fixture
def batch() -> Experience:
    """Rewards 1, 0 with qualities .4, .6; rewards 1, 0 with .6, .4; all right."""
    group = torch.tensor([0, 0, 1, 1, 2, 2])
    return Experience(
        rewards=torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0, 1.0], dtype=D),
        mask=torch.ones(6, 2, dtype=torch.bool),
        group=group,
        source=torch.zeros(6, dtype=torch.int64),
        old_logp=torch.full((6, 2), math.log(0.5), dtype=D),
        opinions={"judge": torch.tensor([0.4, 0.6, 0.6, torch.nan, 0.9, 0.1])},
        step=100,
    )


def test_a_score_that_prefers_wrong_answers_is_trusted_less(batch: Experience) -> None:
    """At step 100 of 500, μ = .4 and .6: .3·e^−.2·e^−.2 = .2011; trusted: .2456. No opinion counts 0."""
    found = (trust_grpo(batch, **SETTINGS) - batch.rewards).tolist()
    assert found == pytest.approx([0.2011 * 0.4, 0.2011 * 0.6, 0.24562 * 0.6, 0.0, 0.0, 0.0], abs=1e-5)


def test_without_a_right_answer_there_is_nobody_to_doubt(batch: Experience) -> None:
    some = replace(batch, rewards=torch.tensor([0.3, 0.2, 1.0, 0.0, 1.0, 1.0], dtype=D))
    assert (trust_grpo(some, **SETTINGS) - some.rewards)[1].item() == pytest.approx(0.24562 * 0.6, abs=1e-5)


def test_a_group_that_is_all_but_wrong_keeps_its_rewards(batch: Experience) -> None:
    """At most .1 each, exactly .1 among them; .11 is beyond."""
    for highest, kept in ((0.1, True), (0.11, False)):
        some = replace(batch, rewards=torch.tensor([highest, 0.05, 1.0, 0.0, 1.0, 1.0], dtype=D))
        assert torch.equal(trust_grpo(some, **SETTINGS)[:2], some.rewards[:2]) is kept


def test_the_stand_in_is_the_confidence_and_time_ends_it(batch: Experience) -> None:
    found = trust_grpo(replace(batch, step=0), **SETTINGS | {"quality": "confidence"}) - batch.rewards
    assert found.tolist() == pytest.approx([0.15] * 4 + [0.0, 0.0])
    late = trust_grpo(replace(batch, step=10**6), **SETTINGS)
    assert torch.equal(late, batch.rewards)


def test_no_strength_changes_no_bit(batch: Experience) -> None:
    assert torch.equal(trust_grpo(batch, **SETTINGS | {"strength": 0.0}), batch.rewards)
