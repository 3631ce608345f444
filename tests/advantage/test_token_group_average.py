"""HAPO's token-level group average on F0 and by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tvo_cli.advantage import GroupNormalised, TokenGroupAverage
from tvo_cli.types import Experience

D = torch.float64


def test_on_f0(f0_experience: Experience) -> None:
    """+.816495 / −1.224742 and −.577349 / +1.732047: the tokens of each group sum to 0."""
    found = TokenGroupAverage(1e-6, largest=5.0)(f0_experience).values
    assert found[:, 0].tolist() == pytest.approx([0.816495, -1.224742, -0.577349, 1.732047], abs=2e-6)
    sums = [found[f0_experience.group == group].sum().item() for group in (0, 1)]
    assert sums == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_group_with_an_extreme_advantage_gets_grpos(f0_experience: Experience) -> None:
    found = TokenGroupAverage(1e-6, largest=1.5)(f0_experience).values
    torch.testing.assert_close(found[2:], GroupNormalised(1e-6)(f0_experience).values[2:])
    assert found[0, 0].item() == pytest.approx(0.816495, abs=2e-6)


def test_a_negative_advantage_is_extreme_too(f0_experience: Experience) -> None:
    """+.82 and −1.22 in the first group."""
    found = TokenGroupAverage(1e-6, largest=1.0)(f0_experience).values
    torch.testing.assert_close(found, GroupNormalised(1e-6)(f0_experience).values)


def test_a_response_at_its_groups_mean_reward_still_counts_its_length(f0_experience: Experience) -> None:
    """Rewards 0, ½, 1 of 3, 2 and 1 tokens: the mean over tokens is ⅓, so that ½ is above it; of responses it is ½."""
    three = replace(
        f0_experience,
        rewards=torch.tensor([0.0, 0.5, 1.0, 0.0], dtype=D),
        group=torch.tensor([0, 0, 0, 1]),
        mask=torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool),
    )
    found = TokenGroupAverage(0.0, largest=5.0)(three).values[:3, 0]
    spread = (3 * (1 / 3) ** 2 + 2 * (1 / 6) ** 2 + (2 / 3) ** 2) / 6
    torch.testing.assert_close(found, torch.tensor([-1 / 3, 1 / 6, 2 / 3], dtype=D) / spread**0.5)


def test_equal_lengths_are_grpos_with_the_other_standard_deviation(f0_experience: Experience) -> None:
    level = replace(f0_experience, mask=torch.ones(4, 3, dtype=torch.bool))
    found, grpo = TokenGroupAverage(0.0, largest=5.0)(level).values, GroupNormalised(0.0)(level).values
    torch.testing.assert_close(found, grpo * 2**0.5)
