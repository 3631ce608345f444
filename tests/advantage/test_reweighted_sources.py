"""Advantages weighed by source: from when on, with which weight, and what is carried from batch to batch."""

from __future__ import annotations

import math

import pytest
import torch

from tvo_cli.advantage import ReweightedSources
from tvo_cli.types import Advantage, Experience

ADVANTAGE = Advantage(torch.tensor([[1.0], [-1.0], [2.0], [-2.0]]), 1.0)


def batch(easy: float, hard: float, names: tuple[str, ...] = ("easy", "hard")) -> Experience:
    """Two responses to problems of each source, of these mean rewards."""
    zero = torch.zeros(4, 1)
    return Experience(
        rewards=torch.tensor([easy + 0.1, easy - 0.1, hard + 0.1, hard - 0.1]),
        mask=torch.ones(4, 1, dtype=torch.bool),
        group=torch.tensor([0, 0, 1, 1]),
        source=torch.tensor([0, 0, 1, 1]),
        old_logp=zero,
        sources=names,
    )


def after(made: ReweightedSources, *means: tuple[float, float]) -> torch.Tensor:
    for easy, hard in means:
        made.end_batch(batch(easy, hard))
    found: torch.Tensor = made(batch(0.5, 0.5), ADVANTAGE).values
    return found


def test_weights_are_one_until_there_are_two_windows() -> None:
    """Losses .2, .2, .1, .1 and .7, .9, .64, .96: λ = .9401, 1.0599 (tests/maths/test_loss_balancing.py)."""
    made = ReweightedSources(window=2, temperature=5.0)
    assert torch.equal(after(made, (0.8, 0.3), (0.8, 0.1), (0.9, 0.36)), ADVANTAGE.values)
    found = after(made, (0.9, 0.04))
    assert found.flatten().tolist() == pytest.approx([0.9401, -0.9401, 2.1198, -2.1198], abs=1e-4)
    assert made.readings() == pytest.approx(
        {"objective/weight/easy": 0.9401, "objective/weight/hard": 1.0599}, abs=1e-4
    )


def test_a_source_keeps_its_losses_where_a_batch_has_no_problem_of_it() -> None:
    """Then the others' indices are other ones: names decide."""
    made = ReweightedSources(window=1, temperature=1.0)
    after(made, (0.8, 0.5), (0.8, 0.5))
    alone = Experience(
        *(torch.ones(2), torch.ones(2, 1, dtype=torch.bool), torch.zeros(2, dtype=torch.int64)),
        *(torch.zeros(2, dtype=torch.int64), torch.zeros(2, 1)),
        sources=("hard",),
    )
    made.end_batch(alone)
    assert made.losses == {"easy": pytest.approx([0.2, 0.2]), "hard": pytest.approx([0.5, 0.0])}
    weights = made(alone, Advantage(torch.ones(2, 1), 1.0)).values
    first = math.exp(1.0 - 1e-3 / 0.5)  # c of easy is 1, of hard 1e-3/.5; windows of one batch have no spread
    assert weights[0].item() == pytest.approx(2 / (1 + first))


def test_what_it_carries_comes_back_and_one_source_is_said_to_be_its_base(caplog: pytest.LogCaptureFixture) -> None:
    made, twin = ReweightedSources(window=6, temperature=5.0), ReweightedSources(window=6, temperature=5.0)
    after(made, *[(0.01 * i, 0.3) for i in range(13)])
    twin.load_state_dict(made.state_dict())
    assert twin == made and len(made.losses["easy"]) == 12
    assert "one" not in caplog.text
    lone = ReweightedSources(window=1, temperature=5.0)
    lone.end_batch(_of_one_source())
    assert "there is one" in caplog.text and lone.weights == {"all": 1.0}


def _of_one_source() -> Experience:
    found = batch(0.5, 0.5)
    return Experience(
        *(found.rewards, found.mask, found.group, torch.zeros(4, dtype=torch.int64), found.old_logp), sources=("all",)
    )
