"""Fixture F0 through a whole algorithm: its own estimator, then its own objective."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
import torch
from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from tvo_cli import config
from tvo_cli.config.composing import _initialised_hydra
from tvo_cli.experiment.build_algorithm import build_estimator
from tvo_cli.objective import Objective
from tvo_cli.types import Experience, Tokens

TOKEN_MEAN = "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.token_mean"


@cache
def alone(name: str) -> DictConfig | None:
    """A recipe without the groups beside it: a third of the time. None where it refers to one of them."""
    with _initialised_hydra(config.conf_dir()):
        made: DictConfig = compose(overrides=[f"+algorithm={name}"])
    try:
        OmegaConf.to_container(made.algorithm, resolve=True)
    except OmegaConfBaseException:
        return None
    return made


@cache
def composed(name: str, *overrides: str) -> DictConfig:
    """A config with an algorithm and overrides of single keys; each algorithm is composed once."""
    if not overrides:
        return alone(name) or config.compose([f"algorithm={name}", "logger=none"])
    made = copy.deepcopy(composed(name))
    OmegaConf.set_struct(made, False)
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        parent, _, key = override.key_or_group.rpartition(".")
        node = OmegaConf.select(made, parent, throw_on_missing=True)
        assert key in node or override.is_add(), f"{override.key_or_group} is no key"
        if override.is_delete():
            del node[key]
        else:
            node[key] = override.value()
    return made


class Result(NamedTuple):
    """What an algorithm makes of F0."""

    loss: float
    gradient: Tensor  # by log π, [4, 3]
    weight: Tensor
    tokens: Tokens
    objective: Objective


def moved(make_tokens: Callable[..., Tokens], old: float, new: float) -> Tokens:
    """Tokens whose probability went from `old` to `new`, all of them."""
    ones = torch.ones(4, 6, dtype=torch.float64)
    return replace(make_tokens(), logp=ones * math.log(new), old_logp=ones * math.log(old))


@pytest.fixture
def on_f0(f0: dict[str, torch.Tensor], f0_experience: Experience) -> Callable[..., Result]:
    """`on_f0("steer", "algorithm.objective.weight.low=0.5")`; H and H_old are F0's `entropy`."""

    def apply(name: str, *overrides: str) -> Result:
        algorithm = composed(name, *overrides).algorithm
        objective = config.build(algorithm.objective)
        advantage = build_estimator(algorithm)(f0_experience)
        counted = f0["mask"] if advantage.counted is None else advantage.counted
        tokens = Tokens(
            logp=f0["logp"].clone().requires_grad_(),
            old_logp=f0["old"],
            entropy=f0["entropy"],
            collision=torch.zeros_like(f0["old"]),
            advantage=advantage.values,
            mask=f0["mask"],
            share=objective.reduce(counted).double(),
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
