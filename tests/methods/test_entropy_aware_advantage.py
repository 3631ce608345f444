"""Agentic AEPO's advantage on F0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.entropy_aware_advantage import entropy_aware_advantage

SHAPED = [
    [0.579186, 0.771066, 0.962946],
    [-0.685786, -0.600506, 0],
    [-0.643146, -0.877666, -0.707106],
    [0.536545, 0, 0],
]


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    """Mean H .9, standard deviation .663325."""
    found = on_f0("aepo_agentic")
    assert_near(found.objective.soft_advantage(found.tokens), SHAPED)


def test_the_token_mean_of_the_factor_is_one(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("aepo_agentic").tokens
    ones = replace(tokens, advantage=tokens.mask.double())
    assert entropy_aware_advantage(ones, strength=0.2)[tokens.mask].mean().item() == pytest.approx(1.0)


def test_no_strength_and_no_spread_leave_the_advantage(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("aepo_agentic").tokens
    level = replace(tokens, entropy=torch.full_like(tokens.entropy, 0.4))
    for given, strength in ((tokens, 0.0), (level, 0.2)):
        torch.testing.assert_close(
            entropy_aware_advantage(given, strength=strength), tokens.advantage, rtol=1e-12, atol=1e-15
        )
