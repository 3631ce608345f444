"""REINFORCE++ and its baseline form: token statistics of the batch, discount, KL in the reward or as k2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.advantage import WhitenedGroup, WhitenedReturn
from tvo_cli.types import Experience

SEQUENCE = ["algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean"]
NEUTRAL = {"reinforce_plus": ("grpo", SEQUENCE), "reinforce_plus_baseline": ("grpo", SEQUENCE)}


def test_the_advantage_on_f0(on_f0: Callable[..., Result]) -> None:
    """Returns are 1 on four of nine tokens: mean .444444, variance (n−1) .277778."""
    found = on_f0("reinforce_plus").tokens
    assert found.advantage[found.mask].unique().tolist() == pytest.approx([-0.843274, 1.054093], abs=1e-6)
    assert float(found.advantage[found.mask].mean()) == pytest.approx(0.0, abs=1e-12)
    assert float(found.advantage[found.mask].var()) == pytest.approx(1.0, rel=1e-6)


def test_a_return_to_go_is_discounted_from_the_last_token(f0_experience: Experience) -> None:
    estimator = WhitenedReturn(discount=0.5, kl_coef=0.0, epsilon=0.0)
    found = estimator(f0_experience)
    raw = found.values / found.scale
    row = (raw[0] - raw[0, 2]).tolist()  # returns .25, .5, 1, whatever the mean taken off
    assert row == pytest.approx([-0.75, -0.5, 0.0])


def test_the_kl_is_charged_on_each_token_and_all_that_come_before_it(f0_experience: Experience) -> None:
    plain, charged = (WhitenedReturn(discount=1.0, kl_coef=c, epsilon=0.0)(f0_experience) for c in (0.0, 0.1))
    raw = [found.values / found.scale for found in (plain, charged)]
    gap = (raw[1] - raw[0])[0]  # returns change by +.01, +.02, 0, up to the mean
    assert (gap - gap[2]).tolist() == pytest.approx([0.01, 0.02, 0.0], abs=1e-9)


def test_the_baseline_form_centres_each_group_first(f0_experience: Experience) -> None:
    """Centred: +½ on 3 + 1 tokens, −½ on 2 + 3: mean −1/18, variance (9·¼ − 9/324)/8 = .277778."""
    found = WhitenedGroup(epsilon=0.0)(f0_experience).values[f0_experience.mask]
    spread = 0.277778**0.5
    assert found.unique().tolist() == pytest.approx([(-0.5 + 1 / 18) / spread, (0.5 + 1 / 18) / spread], abs=1e-5)
    shifted = replace(f0_experience, rewards=f0_experience.rewards + torch.tensor([3.0, 3.0, 0.0, 0.0]))
    again = WhitenedGroup(epsilon=0.0)(shifted).values[f0_experience.mask]
    torch.testing.assert_close(again, found)


def test_the_baseline_form_pays_for_kl_by_k2(on_f0: Callable[..., Result]) -> None:
    """∂k2 = log π − log π_ref, at (1,0): −.4, over N = 9 tokens."""
    off, on = (on_f0("reinforce_plus_baseline", f"algorithm.objective.penalties.kl.coef.value={c}") for c in (0.0, 0.5))
    paid = on.gradient - off.gradient
    assert paid[1, 0].item() == pytest.approx(0.5 * -0.4 / 9, abs=1e-9)
    assert paid[0, 0].item() == pytest.approx(0.5 * 0.15 / 9, abs=1e-9)
