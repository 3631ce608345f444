"""Fixture F0 through a whole algorithm: its own estimator, then its own objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tvo_cli import config
from tvo_cli.objective import Objective
from tvo_cli.types import Tokens

TOKEN_MEAN = "algorithm.objective.reduce._target_=tvo_cli.objective.pieces.token_mean"


class Result(NamedTuple):
    """What an algorithm makes of F0."""

    loss: float
    gradient: Tensor  # by log π, [4, 3]
    weight: Tensor
    tokens: Tokens
    objective: Objective


@pytest.fixture
def on_f0(f0, f0_experience) -> Callable[..., Result]:
    """`on_f0("steer", "algorithm.objective.weight.low=0.5")`; H and H_old are F0's `entropy`."""

    def apply(name: str, *overrides: str) -> Result:
        algorithm = config.compose([f"algorithm={name}", "logger=none", *overrides]).algorithm
        objective = config.build(algorithm.objective)
        advantage = config.build(algorithm.estimator)(f0_experience)
        tokens = Tokens(
            logp=f0["logp"].clone().requires_grad_(),
            old_logp=f0["old"],
            entropy=f0["entropy"],
            collision=torch.zeros_like(f0["old"]),
            advantage=advantage.values,
            mask=f0["mask"],
            share=objective.reduce(f0["mask"]).double(),
            scale=advantage.scale,
            ref_logp=f0["ref"],
            old_entropy=f0["entropy"],
        )
        loss = objective(tokens).total
        gradient = torch.autograd.grad(loss, tokens.logp)[0]
        return Result(loss.item(), gradient, objective.weigh(tokens), tokens, objective)

    return apply


@pytest.fixture
def assert_near() -> Callable[..., None]:
    """Equal to the six decimals that the specification prints; a last digit of the ε in a denominator is allowed."""

    def check(found: Tensor, expected: list[list[float]]) -> None:
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1.5e-6)

    return check
