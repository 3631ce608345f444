"""HAPO on F0: the level of every token, its bounds, and the loss that they and the redistribution make."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.maths.entropy_level import entropy_levels
from tvo_cli.methods.adaptive_clip import adaptive_clip
from tvo_cli.types import Tokens

D = torch.float64
OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "hapo": (
        "dapo",
        [
            *(f"{OBJECTIVE}.weight.redistribution=0", f"{OBJECTIVE}.surrogate.widening=0"),
            *("~algorithm.estimator.largest", "algorithm.estimator._target_=tvo_cli.advantage.GroupNormalised"),
        ],
    )
}
LEVEL = [[-0.557886, 0, 1], [-0.163171, -0.442114, 0], [-0.278943, 0.622403, -0.115772], [-1, 0, 0]]
BELOW = [[0.311577, 0.2, 0.2], [0.232634, 0.288423, 0], [0.255789, 0.2, 0.223154], [0.4, 0, 0]]
ABOVE = [[0.28, 0.28, 0.56], [0.28, 0.28, 0], [0.28, 0.454273, 0.28], [0.28, 0, 0]]
CREDIT = [[0.312621, 0.707106, 1.414212], [-0.707106, -0.394484, 0], [-0.509864, -0.707106, -0.625243], [0, 0, 0]]
SETTINGS: dict[str, Any] = {"low": 0.2, "high": 0.28, "dual": 10.0, "quantile": 0.8, "widening": 1.0}
GRPO = [0.707106, -0.707106, -0.707106, 0.707106]


def dual_clipped(ratio: torch.Tensor, advantage: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    clipped = torch.min(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)
    return torch.where(advantage < 0, torch.max(clipped, 10 * advantage), clipped)


def test_the_level_of_every_token_on_f0(f0: dict[str, torch.Tensor], assert_near: Callable[..., None]) -> None:
    """log H, its 0.8 quantile .182322, spread 1.078354 about it."""
    levels = entropy_levels(f0["entropy"], f0["mask"], 0.8)
    assert_near(torch.tensor([levels.pivot, levels.spread], dtype=D)[None], [[0.182322, 1.078354]])
    assert_near(torch.where(f0["mask"], levels.level(f0["entropy"]), 0.0), LEVEL)


def test_bounds_of_every_token_make_the_gain(on_f0: Callable[..., Result], f0: dict[str, torch.Tensor]) -> None:
    """With ratios far outside, where every bound shows: half and five times the policy's."""
    tokens, mask = on_f0("hapo").tokens, f0["mask"]
    for ratio in (torch.full((4, 3), 0.5, dtype=D), torch.full((4, 3), 5.0, dtype=D)):
        for advantage in (torch.ones(4, 3, dtype=D), -torch.ones(4, 3, dtype=D)):
            found = adaptive_clip(ratio, advantage, tokens, **SETTINGS, released_sign=False)
            low, high = (torch.tensor(rows, dtype=D) for rows in (BELOW, ABOVE))
            expected = dual_clipped(ratio, advantage, low, high)
            torch.testing.assert_close(found[mask], expected[mask], rtol=0, atol=3e-6)


def test_bounds_and_credit_make_the_loss(on_f0: Callable[..., Result], f0: dict[str, torch.Tensor]) -> None:
    """GRPO's advantages on F0: the specification's Â' within its bounds, through the dual clip."""
    found, mask = on_f0("hapo"), f0["mask"]
    grpo = torch.tensor(GRPO, dtype=D)[:, None] * mask
    ratio = (found.tokens.logp - found.tokens.old_logp).exp()
    gain = found.weight * adaptive_clip(ratio, grpo, found.tokens, **SETTINGS, released_sign=False)
    low, high, credit = (torch.tensor(rows, dtype=D) for rows in (BELOW, ABOVE, CREDIT))
    expected = dual_clipped(ratio, credit, low, high)
    torch.testing.assert_close(gain[mask], expected[mask], rtol=0, atol=3e-6)
    slopes = [torch.autograd.grad(x[mask].sum(), found.tokens.logp, retain_graph=True)[0] for x in (gain, expected)]
    torch.testing.assert_close(*slopes, rtol=0, atol=3e-6)


def test_the_released_sign_takes_certain_tokens_for_uncertain_ones(on_f0: Callable[..., Result]) -> None:
    """A bad certain token falls to ½: bounded by .6 of h̃ = −1, and by .8 of the released |h̃| = 1."""
    tokens, half = on_f0("hapo").tokens, torch.full((4, 3), 0.5, dtype=D)
    gains = [
        adaptive_clip(half, -torch.ones(4, 3, dtype=D), tokens, **SETTINGS, released_sign=sign)[3, 0].item()
        for sign in (False, True)
    ]
    assert [round(gain, 9) for gain in gains] == [-0.6, -0.8]


def test_a_slice_has_the_bounds_of_its_whole_minibatch(on_f0: Callable[..., Result]) -> None:
    """As micro-batches are: the levels are those of all tokens, not of the slice."""
    whole, rows = on_f0("hapo").tokens, slice(2, 4)
    fields = ("logp", "old_logp", "entropy", "collision", "advantage", "mask", "share")
    part = Tokens(**{name: getattr(whole, name)[rows] for name in fields}, whole=whole, start=2)
    far, good = torch.full((4, 3), 5.0, dtype=D), torch.ones(4, 3, dtype=D)
    found = adaptive_clip(far[rows], good[rows], part, **SETTINGS, released_sign=False)
    assert torch.equal(found, adaptive_clip(far, good, whole, **SETTINGS, released_sign=False)[rows])
    alone = adaptive_clip(far[rows], good[rows], replace(part, whole=None, start=0), **SETTINGS, released_sign=False)
    assert not torch.allclose(found, alone), "or it shows nothing"


def test_the_quantile_is_the_nearest_of_the_tokens(f0: dict[str, torch.Tensor]) -> None:
    """Of nine tokens .85·8 = 6.8 is the eighth, 1.7 nats; the spread is about its logarithm."""
    levels = entropy_levels(f0["entropy"], f0["mask"], 0.85)
    y = f0["entropy"][f0["mask"]].log()
    assert levels.pivot == pytest.approx(math.log(1.7))
    assert levels.spread == pytest.approx(float((y - math.log(1.7)).square().mean().sqrt()))
