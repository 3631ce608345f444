"""STEER on F0, its two modes, and its two estimators against a finite difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.steer import steer
from tvo_cli.types import Tokens

OBJECTIVE = "algorithm.objective"
NEUTRAL = {name: ("dapo", [f"{OBJECTIVE}.weight.low=1"]) for name in ("steer", "steer_exact")}
EXPONENTIAL = [[0.992943, 0.8, 0.92899], [0.978261, 0.982718, 0], [0.957948, 0.821703, 0.972845], [0.998835, 0, 0]]
LINEAR = [[1.189339, 0.8, 1.069372], [1.162495, 1.170687, 0], [1.124685, 0.848233, 1.152491], [1.2, 0, 0]]
DAPO = [[-0.082596, 0, -0.058204], [0, 0.08683, 0], [0.078567, 0.095962, 0.071091], [-0.080154, 0, 0]]


def test_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    found = on_f0("steer")
    assert_near(found.weight, EXPONENTIAL)
    assert found.loss == pytest.approx(0.073496, abs=1e-6)
    assert_near(found.gradient, [[a * b for a, b in zip(*rows)] for rows in zip(EXPONENTIAL, DAPO)])


def test_the_linear_mode_on_f0(on_f0: Callable[..., Result], assert_near: Callable[..., None]) -> None:
    linear = [f"{OBJECTIVE}.weight.mode=linear", f"{OBJECTIVE}.weight.high=1.2"]
    assert_near(on_f0("steer", *linear).weight, LINEAR)


SETTINGS: dict[str, Any] = {"estimator": "released", "mode": "exponential", "low": 0.8, "high": 1.0, "floor": 0.02}


def test_the_scale_of_the_advantage_is_taken_out_above_the_floor_only(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("steer").tokens
    doubled, tiny = (replace(tokens, advantage=tokens.advantage * factor) for factor in (2.0, 1e-3))
    torch.testing.assert_close(steer(doubled, **SETTINGS), steer(tokens, **SETTINGS))
    least = steer(tiny, **SETTINGS)[tokens.mask].min().item()  # max |Ω| = .000285569 against a floor of .02
    assert least == pytest.approx(0.8 ** (0.000285569 / 0.02), rel=1e-6)


def test_no_advantage_no_damping_and_one_size_the_middle(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("steer").tokens
    nothing = replace(tokens, advantage=torch.zeros_like(tokens.advantage))
    assert (steer(nothing, **SETTINGS)[tokens.mask] == 1).all()
    middle = steer(nothing, **{**SETTINGS, "mode": "linear", "high": 1.2})
    torch.testing.assert_close(middle[tokens.mask], torch.ones(9, dtype=torch.float64))


P = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)


def one_state(make_tokens: Callable[..., Tokens]) -> Tokens:
    """Three tokens drawn from one state with probabilities .7, .2, .1, on-policy, Â = 1."""
    entropy = -(P * P.log()).sum()
    mask = torch.zeros(4, 6, dtype=torch.bool)
    mask[0, :3] = True
    logp = torch.zeros(4, 6, dtype=torch.float64)
    logp[0, :3] = P.log()
    ones = torch.ones(4, 6, dtype=torch.float64)
    covariance = (P.square() * (P.log() + entropy)).sum()
    drawn: dict[str, Any] = {"logp": logp, "old_logp": logp, "advantage": ones, "mask": mask}
    exact: dict[str, Any] = {"entropy": ones * entropy, "old_entropy": ones * entropy, "covariance": ones * covariance}
    return replace(make_tokens(), **drawn, **exact)


def change_of_entropy(token: int, step: float = 1e-4) -> float:
    """By a policy-gradient step on the logits along e_a − π, a unit of step."""

    def entropy(logits: torch.Tensor) -> torch.Tensor:
        return -(logits.softmax(0) * logits.log_softmax(0)).sum()

    moved = P.log() + step * (torch.nn.functional.one_hot(torch.tensor(token), 3) - P)
    return float(entropy(moved) - entropy(P.log())) / step


@pytest.mark.parametrize(
    ("estimator", "sizes"), [("exact", (0.14079, 0.33233, 0.32088)), ("released", (0.13354, 0.64610, 1.35069))]
)
def test_both_estimators_at_one_state(
    make_tokens: Callable[..., Tokens], estimator: str, sizes: tuple[float, float, float]
) -> None:
    """With low = e⁻¹ and a floor of 10 the weight is exp(−|Ω|/10): Ω can be read off it."""
    readable = {**SETTINGS, "estimator": estimator, "low": math.exp(-1), "floor": 10.0}
    weight = steer(one_state(make_tokens), **readable)[0, :3]
    assert (-10 * weight.log()).tolist() == pytest.approx(sizes, abs=1e-5)


def test_the_exact_estimator_is_the_finite_difference(make_tokens: Callable[..., Tokens]) -> None:
    readable = {**SETTINGS, "estimator": "exact", "low": math.exp(-1), "floor": 10.0}
    weight = steer(one_state(make_tokens), **readable)[0, :3]
    true = [abs(change_of_entropy(token)) for token in range(3)]
    assert (-10 * weight.log()).tolist() == pytest.approx(true, abs=2e-5)
