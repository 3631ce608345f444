"""ProGRPO: confidences of prompt and response, and the groups that it acts on, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.methods.progrpo import _confidence, progrpo
from tvo_cli.types import Advantage, Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {"progrpo": ("grpo", ["algorithm.advantage_shaping.progrpo.alpha=0"])}
SETTINGS: dict[str, Any] = {"alpha": 0.2, "share": 0.2, "only_right": False}


@pytest.fixture
def batch(f0_experience: Experience) -> tuple[Experience, Advantage]:
    """F0 with prompts whose least likely tokens are at −1 and −3; only the first group has a right response."""
    prompts = torch.tensor([[-1.0, -0.1, 0.0], [-0.2, -3.0, -0.1]], dtype=D)
    experience = replace(
        f0_experience,
        prompt_logp=prompts,
        prompt_mask=torch.tensor([[True, True, False], [True, True, True]]),
        correct=torch.tensor([True, False, False, False]),
    )
    values = torch.tensor([0.7, -0.7, 0.0, 0.0], dtype=D)[:, None] * f0_experience.mask
    return experience, Advantage(values, scale=1.0)


def test_the_least_likely_fifth_of_a_text() -> None:
    logp = torch.tensor([[-0.1, -0.05, -2.0, -0.02, -0.3, -9.0]], dtype=D)
    mask = torch.arange(6).expand(1, 6) < 5
    assert _confidence(logp, mask, 0.2).item() == pytest.approx(math.exp(-2))
    assert _confidence(logp, mask, 0.4).item() == pytest.approx(math.exp(-1.15))
    assert _confidence(logp, mask | True, 0.2).item() == pytest.approx(math.exp(-5.5)), "two of six: rounded up"
    assert _confidence(logp, mask & False, 0.2).item() == 1.0
    many = torch.arange(-25.0, 0.0)[None]
    least = _confidence(many, many < 0, 0.6).log().item()
    assert least == pytest.approx(-18.0), "15 of 25, though .6·25 is more than 15 in float32"


def test_the_sure_learn_less_and_groups_without_a_right_answer_nothing(batch: tuple[Experience, Advantage]) -> None:
    """c(q) = e^−1; c(o) = e^−2 and e^−.5."""
    found = progrpo(*batch, **SETTINGS).values
    gaps = [0.7 + 0.2 * (math.exp(-1) - math.exp(-2)), -0.7 + 0.2 * (math.exp(-1) - math.exp(-0.5))]
    assert found[:2, 0].tolist() == pytest.approx(gaps)
    assert (found[2:] == 0).all() and found[1, 2] == 0, "padding stays at 0"


def test_wrong_responses_may_be_left_alone(batch: tuple[Experience, Advantage]) -> None:
    found = progrpo(*batch, **SETTINGS | {"only_right": True}).values
    assert torch.equal(found[1], batch[1].values[1]) and found[0, 0] > 0.7


def test_an_all_right_group_learns_from_its_confidences(batch: tuple[Experience, Advantage]) -> None:
    experience, advantage = batch
    level = replace(advantage, values=torch.zeros_like(advantage.values))
    found = progrpo(replace(experience, correct=torch.ones(4, dtype=torch.bool)), level, **SETTINGS).values[:, 0]
    assert found[0] > 0 > found[1], "the rarer answer rises, the surer one falls"


def test_no_strength_changes_no_bit(batch: tuple[Experience, Advantage]) -> None:
    torch.testing.assert_close(progrpo(*batch, **SETTINGS | {"alpha": 0.0}).values, batch[1].values, rtol=0, atol=0)
