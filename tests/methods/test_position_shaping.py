"""Position shaping on the specification's numbers: a response of five tokens, its sign, its window of steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.methods.position_shaping import position_shaping
from tvo_cli.types import Advantage, Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "position_shaping": ("dapo", ["algorithm.advantage_shaping.position.gamma=0"])
}
SETTINGS: dict[str, Any] = {"gamma": 0.1, "steepness": 15.0, "first": -1, "last": torch.inf}


def batch(step: int = 0) -> Experience:
    """Five tokens and one, in six columns."""
    mask = torch.arange(6) < torch.tensor([[5], [1]])
    group = torch.zeros(2, dtype=torch.int64)
    return Experience(torch.zeros(2, dtype=D), mask, group, group, torch.zeros(2, 6, dtype=D), step=step)


def shaped(value: float, step: int = 0, **changes: Any) -> torch.Tensor:
    experience = batch(step)
    advantage = Advantage(value * experience.mask.double(), scale=1.0)
    return position_shaping(experience, advantage, **SETTINGS | changes).values


def test_late_tokens_learn_more_and_at_most_half_more() -> None:
    """b = .0001, .0011, .0182, .0818, .0989: the last two are cut to ½·.1."""
    expected = [0.1001, 0.1011, 0.1182, 0.15, 0.15, 0.0]
    assert shaped(0.1)[0].tolist() == pytest.approx(expected, abs=5e-5)
    assert shaped(-0.1)[0].tolist() == pytest.approx([-x for x in expected], abs=5e-5)


def test_no_advantage_and_no_gamma_change_no_bit() -> None:
    assert (shaped(0.0) == 0).all()
    torch.testing.assert_close(shaped(0.7, gamma=0.0), 0.7 * batch().mask.double(), rtol=0, atol=0)


def test_only_between_its_steps() -> None:
    plain = 0.1 * batch().mask.double()
    for step, acts in ((200, False), (201, True), (299, True), (300, False)):
        found = shaped(0.1, step, first=200, last=300.0)
        assert torch.equal(found, plain) is not acts


def test_shaping_leaves_scale_and_returns(f0_experience: Experience) -> None:
    advantage = Advantage(f0_experience.mask.double(), scale=3.0)
    found = position_shaping(f0_experience, advantage, **SETTINGS)
    assert replace(found, values=advantage.values) == advantage
