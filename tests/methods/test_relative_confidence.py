"""ETTRL's reshaping: factors by hand, the bound, and the settings that leave the advantage."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tvo_cli.advantage import GroupNormalised
from tvo_cli.methods.relative_confidence import relative_confidence
from tvo_cli.types import Advantage, Experience

D = torch.float64


@pytest.fixture
def ones(f0_experience: Experience) -> tuple[Experience, Advantage]:
    """Four responses of one group with mean entropies 1, 2, 3 and 6, of which the last is cut short; Â = ±1."""
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]]).bool()
    entropy = torch.tensor([[1, 1, 1], [1, 3, 99], [2, 3, 4], [6, 99, 99]], dtype=D)
    experience = replace(f0_experience, mask=mask, group=torch.zeros(4, dtype=torch.int64), old_entropy=entropy)
    return experience, Advantage(torch.tensor([[1.0], [1], [-1], [-1]], dtype=D) * mask, scale=1.0)


def test_a_confident_response_learns_more_and_padding_is_not_read(ones: tuple[Experience, Advantage]) -> None:
    """H̄ = 3: Y = 2 − 1/3, 2 − 2/3, 2 − 1, 2 − 2."""
    found = relative_confidence(*ones, strength=1.0, bound=math.inf)
    assert found.values[:, 0].tolist() == pytest.approx([5 / 3, 4 / 3, -1.0, 0.0])
    assert (found.values[~ones[0].mask] == 0).all()


def test_of_entropies_1_2_3_the_factors_are_three_halves_1_and_a_half(ones: tuple[Experience, Advantage]) -> None:
    experience = replace(ones[0], group=torch.tensor([0, 0, 0, 1]))
    found = relative_confidence(experience, ones[1], strength=1.0, bound=math.inf).values[:, 0]
    assert found.tolist() == pytest.approx([1.5, 1.0, -0.5, -1.0])


def test_the_factor_never_turns_a_sign(ones: tuple[Experience, Advantage]) -> None:
    """Three responses of entropy 0 and one of 4·H̄: 2 − 4 would be −2."""
    entropy = torch.tensor([[0.0] * 3] * 3 + [[8.0, 0, 0]], dtype=D)
    found = relative_confidence(replace(ones[0], old_entropy=entropy), ones[1], strength=1.0, bound=math.inf)
    assert found.values[:, 0].tolist() == [2.0, 2.0, -2.0, 0.0]


def test_the_other_form_bounds_the_advantage_alone(ones: tuple[Experience, Advantage]) -> None:
    large = replace(ones[1], values=ones[1].values * torch.tensor([[1.0], [3], [1], [5]], dtype=D))
    found = relative_confidence(ones[0], large, strength=0.0, bound=2.0)
    assert found.values[:, 0].tolist() == [1.0, 2.0, -1.0, -2.0]


@pytest.mark.parametrize("entropy", ["own", "equal", "none at all"])
def test_neutral_settings_and_equal_entropies_leave_it_bit_for_bit(f0_experience: Experience, entropy: str) -> None:
    advantage = GroupNormalised(1e-6)(f0_experience)
    changed = f0_experience
    if entropy != "own":
        level = torch.full_like(f0_experience.old_logp, 0.5 if entropy == "equal" else 0.0)
        changed = replace(f0_experience, old_entropy=level)
    strength = 0.0 if entropy == "own" else 1.0
    found = relative_confidence(changed, advantage, strength=strength, bound=math.inf)
    assert torch.equal(found.values, advantage.values)
