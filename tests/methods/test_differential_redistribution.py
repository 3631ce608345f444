"""HAPO's redistribution on F0, and on-policy: only certain tokens lose credit there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tests.methods.test_adaptive_clip import CREDIT, GRPO, LEVEL
from tvo_cli.methods.differential_redistribution import differential_redistribution

D = torch.float64
SETTINGS: dict[str, Any] = {"low": 0.2, "high": 0.28, "quantile": 0.8, "redistribution": 1.0, "widening": 1.0}


def test_on_f0(on_f0: Callable[..., Result], f0: dict[str, torch.Tensor], assert_near: Callable[..., None]) -> None:
    """ρ = 1.05, 1.49, .74 | .67, 1.11 | 1, 1.22, .90 | 1.02 against half the bounds of each."""
    credit = on_f0("hapo").weight * torch.tensor(GRPO, dtype=D)[:, None] * f0["mask"]
    assert_near(credit, CREDIT)


def test_on_policy_certain_tokens_learn_less_and_none_more(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("hapo").tokens
    still = replace(tokens, logp=tokens.old_logp)
    found = differential_redistribution(still, **SETTINGS, released_sign=False)
    expected = 1 + torch.tensor(LEVEL, dtype=D).clamp(max=0.0)
    torch.testing.assert_close(found[tokens.mask], expected[tokens.mask], rtol=0, atol=1.5e-6)
    assert found[3, 0] == 0.0, "the most certain one learns nothing"


def test_equal_entropies_and_no_strength_leave_every_weight_at_one(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("hapo").tokens
    level = replace(tokens, entropy=torch.full_like(tokens.entropy, 0.7))
    assert (differential_redistribution(level, **SETTINGS, released_sign=False)[tokens.mask] == 1).all()
    off = SETTINGS | {"redistribution": 0.0}
    assert (differential_redistribution(tokens, **off, released_sign=False) == 1).all()


@pytest.mark.parametrize(
    ("ratio", "uncertain", "certain"), [(1.4, 2.0, 1.0), (1.2, 1.0, 1.0), (0.85, 2.0, 0.0), (0.75, 2.0, 1.0)]
)
def test_the_neutral_zone_is_half_of_the_bounds(
    on_f0: Callable[..., Result], ratio: float, uncertain: float, certain: float
) -> None:
    """h̃ = 1: (.9, 1.28) of bounds .2 and .56. h̃ = −1: (.8, 1.14) of .4 and .28."""
    tokens = on_f0("hapo").tokens
    moved = replace(tokens, logp=tokens.old_logp + math.log(ratio))
    found = differential_redistribution(moved, **SETTINGS, released_sign=False)
    assert found[0, 2].item() == pytest.approx(uncertain) and found[3, 0].item() == pytest.approx(certain, abs=1e-9)
