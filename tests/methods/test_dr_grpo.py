"""Dr.GRPO where its two differences from GRPO show: unequal lengths, unequal spreads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.advantage import GroupCentred
from tvo_cli.objective.reduction import constant_length
from tvo_cli.types import Experience

REDUCE = "algorithm.objective.reduce"
NEUTRAL = {"dr_grpo": ("grpo", [f"{REDUCE}._target_=tvo_cli.objective.reduction.sequence_mean", f"~{REDUCE}.length"])}
GRADIENT = [[-0.043803, 0, -0.030867], [0, 0.046049, 0], [0.041667, 0.050892, 0.037702], [-0.042508, 0, 0]]


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    found = on_f0("dr_grpo", f"{REDUCE}.length=3")
    assert found.tokens.advantage[:, 0].tolist() == [0.5, -0.5, -0.5, 0.5]
    assert found.loss == pytest.approx(0.042463, abs=1e-6)
    assert_near(found.gradient, GRADIENT)


def test_the_length_is_the_runs_and_not_the_batchs() -> None:
    short = torch.tensor([[True, False], [True, True]])
    assert torch.equal(constant_length(short, length=8.0).sum(1), torch.tensor([1 / 16, 2 / 16]))
    padded = torch.nn.functional.pad(short, (0, 5))
    assert torch.equal(constant_length(padded, length=8.0)[:, :2], constant_length(short, length=8.0))


def test_a_hard_prompt_weighs_no_more_than_its_spread(f0_experience: Experience) -> None:
    from dataclasses import replace

    scaled = replace(f0_experience, rewards=f0_experience.rewards * torch.tensor([1.0, 1.0, 0.1, 0.1]))
    assert GroupCentred()(scaled).values[:, 0].tolist() == pytest.approx([0.5, -0.5, -0.05, 0.05])
