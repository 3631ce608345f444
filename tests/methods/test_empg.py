"""EMPG on F0: each token a step, as the specification worked it out, and windows by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.methods.empg import empg
from tvo_cli.types import Advantage, Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "empg": ("grpo", [f"algorithm.advantage_shaping.empg.{word}" for word in ("scaling=0", "bonus=0", "centre=none")])
}
SETTINGS: dict[str, Any] = {"scaling": 1.0, "clarity": 1.0, "bonus": 0.05, "window": 1, "centre": "all"}
FINAL = [[0.99345, 0.652489, 0.423355], [-0.614746, -0.815048, 0], [-0.71002, -0.366866, -0.623139], [1.060525, 0, 0]]


@pytest.fixture
def advantage(f0: dict[str, torch.Tensor]) -> Advantage:
    values = torch.tensor([0.707106, -0.707106, -0.707106, 0.707106], dtype=D)[:, None] * f0["mask"]
    return Advantage(values, scale=1.0)


def test_on_f0(f0_experience: Experience, advantage: Advantage) -> None:
    found = empg(f0_experience, advantage, **SETTINGS).values
    torch.testing.assert_close(found, torch.tensor(FINAL, dtype=D), rtol=0, atol=1.5e-6)
    assert found.sum().item() == pytest.approx(0.0, abs=1e-12)


def test_windows_of_two_by_hand(f0_experience: Experience, advantage: Advantage) -> None:
    """h: .75, 2.1 | .6 | 1.15, .9 | .1, so u = .325, 1 | .25 | .525, .4 | 0; the last row's only step has no next."""
    found = empg(f0_experience, advantage, **SETTINGS | {"window": 2, "centre": "none"}).values
    u = torch.tensor([0.325, 1.0, 0.25, 0.525, 0.4, 0.0], dtype=D)
    g = (-u).exp() / (-u).exp().mean()
    sign = torch.tensor([1, 1, -1, -1, -1, 1], dtype=D)
    first, second, third, fourth, fifth, sixth = (0.707106 * sign * g).tolist()
    first, fourth = first + 0.05 * float((-u[1]).exp()), fourth + 0.05 * float((-u[4]).exp())
    rows = [[first, first, second], [third, third, 0], [fourth, fourth, fifth], [sixth, 0, 0]]
    torch.testing.assert_close(found, torch.tensor(rows, dtype=D), rtol=1e-5, atol=1e-6)


def test_responses_without_an_advantage_learn_nothing_unless_asked(
    f0_experience: Experience, advantage: Advantage
) -> None:
    half = replace(advantage, values=torch.where(f0_experience.group[:, None] == 0, advantage.values, 0.0))
    taught = empg(f0_experience, half, **SETTINGS | {"centre": "taught"}).values
    assert (taught[2:] == 0).all() and taught[:2].sum().item() == pytest.approx(0.0, abs=1e-12)
    assert (empg(f0_experience, half, **SETTINGS).values[2:] != 0).any()


def test_at_neutral_settings_it_is_the_advantage_bit_for_bit(f0_experience: Experience, advantage: Advantage) -> None:
    neutral: dict[str, Any] = {"scaling": 0.0, "clarity": 1.0, "bonus": 0.0, "centre": "none"}
    for window in (1, 2, 64):
        found = empg(f0_experience, advantage, **neutral, window=window).values
        torch.testing.assert_close(found, advantage.values, rtol=0, atol=0)


def test_equal_entropies_leave_the_order_to_the_bonus(f0_experience: Experience, advantage: Advantage) -> None:
    level = replace(f0_experience, old_entropy=torch.ones(4, 3, dtype=D))
    found = empg(level, advantage, **SETTINGS | {"centre": "none"}).values
    bonus = torch.tensor([[0.05, 0.05, 0], [0.05, 0, 0], [0.05, 0.05, 0], [0, 0, 0]], dtype=D)
    torch.testing.assert_close(found, advantage.values + bonus)


def test_the_bonus_has_its_own_constant(f0_experience: Experience, advantage: Advantage) -> None:
    """k' = 2 beside k = 1, windows of two: the next step's u is 1 in the first row and .4 in the third."""
    settings = SETTINGS | {"window": 2, "centre": "none", "clarity": 2.0}
    with_, without = (empg(f0_experience, advantage, **settings | {"bonus": bonus}).values for bonus in (0.05, 0.0))
    first, third = (0.05 * float(torch.tensor(-2.0 * u, dtype=D).exp()) for u in (1.0, 0.4))
    rows = torch.tensor([[first, first, 0], [0, 0, 0], [third, third, 0], [0, 0, 0]], dtype=D)
    torch.testing.assert_close(with_ - without, rows, rtol=0, atol=1e-9)
