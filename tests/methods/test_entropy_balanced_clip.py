"""Agentic AEPO's clip on F0: the dual clip's value, and a gradient where that has none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.maths.surrogates import dual_clipped_surrogate
from tvo_cli.methods.entropy_balanced_clip import entropy_balanced_clip

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "aepo_agentic": (
        "grpo",
        [
            f"{OBJECTIVE}.shape.strength=0",
            f"{OBJECTIVE}.surrogate.high=inf",
            f"{OBJECTIVE}.surrogate.low=inf",
            f"{OBJECTIVE}.surrogate.dual=inf",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    )
}
NEUTRAL = {"aepo_agentic": ("reinforce", NEUTRAL["aepo_agentic"][1])}  # without a clip


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    """Loss .080070 is PPO's (.2, c = 3, token mean); (0, 1) has a ratio of 1.49: gradient −1.2·.707/9, not 0."""
    found = on_f0("aepo_agentic", f"{OBJECTIVE}.shape.strength=0")
    assert found.loss == pytest.approx(0.080070, abs=1e-6)
    ratio = (found.tokens.logp - found.tokens.old_logp).exp().detach()
    plain = (-found.tokens.advantage * ratio / 9).tolist()
    plain[0][1], plain[1][0] = -0.094281, 0.0  # bounded above; clipped below
    assert_near(found.gradient, plain)


def test_its_value_is_the_dual_clips_at_every_ratio() -> None:
    ratio = torch.linspace(0.05, 5.0, 40, dtype=torch.float64)
    for advantage in (-torch.ones(40).double(), torch.ones(40).double()):
        settings = {"low": 0.2, "high": 0.28, "dual": 3.0}
        theirs = dual_clipped_surrogate(ratio, advantage, **settings)
        torch.testing.assert_close(entropy_balanced_clip(ratio, advantage, **settings), theirs)
        settings["high"] = torch.inf
        found, expected = (
            entropy_balanced_clip(ratio, advantage, **settings),
            dual_clipped_surrogate(ratio, advantage, **settings),
        )
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_gradient_factor_on_all_sides() -> None:
    """In log ρ: 1.2 above for a good token, ρ for a bad one up to c, 0 below for a bad one, ρ for a good one."""
    log_ratio = torch.tensor([1.0, 1.0, 2.0, -1.0, -1.0], dtype=torch.float64, requires_grad=True)
    advantage = torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    gain = entropy_balanced_clip(log_ratio.exp(), advantage, low=0.2, high=0.2, dual=3.0)
    found = torch.autograd.grad(gain.sum(), log_ratio)[0]
    torch.testing.assert_close(found, torch.tensor([1.2, -2.718281828, 0.0, 0.367879441, 0.0], dtype=torch.float64))
