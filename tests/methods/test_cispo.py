"""CISPO on F0: no token without a gradient, none with a weight above 1 + high."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.cispo import cispo

SURROGATE = "algorithm.objective.surrogate"
NEUTRAL = {
    "cispo": (
        "reinforce",
        [f"{SURROGATE}.high=inf", "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.sequence_mean"],
    ),
}
GRADIENT = [
    [-0.082596, -0.094281, -0.058204],
    [0.052665, 0.08683, 0],
    [0.078567, 0.094281, 0.071091],
    [-0.080154, 0, 0],
]


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    found = on_f0("cispo")
    assert_near(found.gradient, GRADIENT)
    paper = (found.gradient * found.tokens.logp).sum().item()  # the paper's loss is linear in log π
    assert paper == pytest.approx(-0.062117, abs=1e-6)


def test_both_sides_bound_the_weight_and_neither_stops_it() -> None:
    log_ratio = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    gain = cispo(log_ratio.exp(), torch.ones(3), low=0.5, high=0.2)
    assert torch.autograd.grad(gain.sum(), log_ratio)[0].tolist() == pytest.approx([0.5, 1.0, 1.2])
