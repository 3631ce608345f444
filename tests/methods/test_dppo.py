"""DPPO on F0, where its mask parts from PPO's clip, and what its anchor is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result, moved
from tvo_cli import config
from tvo_cli.maths.divergence import binary_kl
from tvo_cli.methods.dppo import dppo
from tvo_cli.types import Tokens

OBJECTIVE = "algorithm.objective"
OPEN = [f"{OBJECTIVE}.weight.low=inf", f"{OBJECTIVE}.weight.high=inf", f"{OBJECTIVE}.surrogate.cap=inf"]
SEQUENCE = [f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean", f"~{OBJECTIVE}.reduce.length"]
TOKEN_MEAN = [f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.token_mean", f"~{OBJECTIVE}.reduce.length"]
NEUTRAL = {name: ("reinforce", OPEN + SEQUENCE) for name in ("dppo_tv", "dppo_kl")}
# ∓½ ρ/9 with ρ = exp(l − l0) of tests/methods/test_rloo.py: the advantage is ±½, the reward less the group's mean
GRADIENT = [[-0.058404, 0, -0.041157], [0, 0.061398, 0], [0.055556, 0.067856, 0.050269], [-0.056678, 0, 0]]


@pytest.mark.parametrize("name", ["dppo_tv", "dppo_kl"])
def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None], name: str) -> None:
    found = on_f0(name, *TOKEN_MEAN)
    assert_near(found.gradient, GRADIENT)
    assert found.weight.tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 1], [1, 1, 1]]
    assert found.tokens.advantage[:, 0].tolist() == [0.5, -0.5, -0.5, 0.5], "no division by the group's spread"


def test_the_binary_kl_on_f0(f0: dict[str, torch.Tensor]) -> None:
    found = binary_kl(f0["logp"], f0["old"])
    assert (found[0, 1].item(), found[1, 0].item()) == pytest.approx((0.065996, 0.080929), abs=1e-6)


def weight(make_tokens: Callable[..., Tokens], old: float, new: float, advantage: float, **settings: Any) -> float:
    """Of one token that went from probability `old` to `new`."""
    tokens = moved(make_tokens, old, new)
    return dppo(replace(tokens, advantage=advantage * torch.ones_like(tokens.logp)), **settings)[0, 0].item()


TV = {"divergence": "total_variation", "low": 0.15, "high": 0.15}
KL = {"divergence": "kl", "low": 0.05, "high": 0.05}


@pytest.mark.parametrize("settings", [TV, KL])
@pytest.mark.parametrize(
    ("old", "new", "advantage", "kept"),
    [
        (0.01, 0.02, 1.0, 1.0),  # ρ = 2: PPO clips, the divergence is .01 and .0031
        (0.6, 0.76, 1.0, 0.0),  # ρ = 1.27: clip-higher keeps, the divergence is .16 and .0625
        (0.6, 0.76, -1.0, 1.0),  # it goes back to where it came from
        (0.76, 0.6, 1.0, 1.0),
        (0.76, 0.6, -1.0, 0.0),
        (0.6, 0.6, 1.0, 1.0),
    ],
)
def test_it_masks_by_divergence_and_only_what_goes_further(
    make_tokens: Callable[..., Tokens], settings: dict[str, Any], old: float, new: float, advantage: float, kept: float
) -> None:
    assert weight(make_tokens, old, new, advantage, **settings) == kept


def test_each_side_has_its_own_threshold(make_tokens: Callable[..., Tokens]) -> None:
    assert weight(make_tokens, 0.6, 0.76, 1.0, **{**TV, "high": 0.17}) == 1.0
    assert weight(make_tokens, 0.76, 0.6, -1.0, **{**TV, "low": 0.17}) == 1.0
    assert weight(make_tokens, 0.76, 0.6, -1.0, **{**TV, "high": 0.17}) == 0.0


@pytest.mark.parametrize("name", ["dppo_tv", "dppo_kl"])
def test_the_anchor_is_the_sampler_whatever_the_precision(name: str) -> None:
    composed = config.compose([f"algorithm={name}", "trainer.precision=bfloat16", "logger=none"])
    assert composed.trainer.old_logp == "sampler"
