"""Surrogates and GAE against hand-worked numbers and slow loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tvo_cli.advantage.gae import generalised_advantage
from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.maths.surrogates import capped_surrogate, clipped_surrogate
from tvo_cli.maths.value_loss import clipped_value_loss

D = torch.float64


def t(values: object) -> Tensor:
    return torch.tensor(values, dtype=D)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "slope"),
    [
        (1.1, 1.0, 1.1, 1.0),  # inside
        (1.5, 1.0, 1.2, 0.0),  # rising where it should rise: clipped
        (0.5, 1.0, 0.5, 1.0),  # fallen where it should rise: pays to come back
        (0.5, -1.0, -0.8, 0.0),  # falling where it should fall: clipped
        (1.5, -1.0, -1.5, -1.0),  # risen where it should fall
    ],
)
def test_the_clip_is_pessimistic(ratio: float, advantage: float, gain: float, slope: float) -> None:
    rho = t([ratio]).requires_grad_()
    value = clipped_surrogate(rho, t([advantage]), low=0.2, high=0.2)
    (grad,) = torch.autograd.grad(value.sum(), rho)
    assert value.item() == pytest.approx(gain, abs=1e-12)
    assert grad.item() == pytest.approx(slope, abs=1e-12)


def test_an_infinite_clip_is_no_clip() -> None:
    rho, advantage = t([0.01, 3.0, 700.0]), t([1.0, -2.0, 0.5])
    assert torch.equal(clipped_surrogate(rho, advantage, low=math.inf, high=math.inf), rho * advantage)


def test_the_cap_bounds_the_gradient_factor_and_infinity_is_no_cap() -> None:
    logp = t([0.0, math.log(50.0)]).requires_grad_()
    (grad,) = torch.autograd.grad(capped_surrogate(logp.exp(), t([2.0, 2.0]), cap=5.0).sum(), logp)
    torch.testing.assert_close(grad, t([2.0, 10.0]), rtol=1e-12, atol=0)
    free = capped_surrogate(logp.exp(), t([2.0, 2.0]), cap=math.inf)
    assert torch.equal(free, logp.exp() * t([2.0, 2.0]))


def test_the_ratio_survives_any_log_ratio() -> None:
    assert importance_ratio(t([-1e4, 0.0, 1e4])).isfinite().all()
    assert importance_ratio(t([0.5])).item() == pytest.approx(math.exp(0.5), rel=1e-12)


@pytest.mark.parametrize(("trace", "expected"), [(0.95, [0.751, 0.58, 0.4]), (1.0, [0.8, 0.6, 0.4])])
def test_gae_on_the_specification_row(trace: float, expected: list[float]) -> None:
    mask = torch.ones(1, 3, dtype=torch.bool)
    found = generalised_advantage(t([[0, 0, 1.0]]), t([[0.2, 0.4, 0.6]]), mask, 1.0, trace)
    torch.testing.assert_close(found, t([expected]), rtol=1e-12, atol=1e-12)


def test_gae_steps_over_padding_wherever_it_stands() -> None:
    mask = torch.tensor([[True, False, True, True, False]])
    dirty = t([[0.0, 9.0, 0.0, 1.0, 9.0]])
    values = t([[0.2, 7.0, 0.4, 0.6, 7.0]])
    found = generalised_advantage(dirty, values, mask, 1.0, 0.95)
    torch.testing.assert_close(found, t([[0.751, 0.0, 0.58, 0.4, 0.0]]), rtol=1e-12, atol=1e-12)


def test_gae_is_the_sum_of_discounted_errors() -> None:
    rng = torch.Generator().manual_seed(1)
    rewards, values = torch.randn(2, 2, 7, generator=rng, dtype=D)
    mask = torch.ones(2, 7, dtype=torch.bool)
    found = generalised_advantage(rewards, values, mask, 0.9, 0.8)
    for row in range(2):
        following = [*values[row, 1:].tolist(), 0.0]
        errors = [float(rewards[row, k]) + 0.9 * following[k] - float(values[row, k]) for k in range(7)]
        for start in range(7):
            slow = sum((0.9 * 0.8) ** (k - start) * errors[k] for k in range(start, 7))
            assert found[row, start].item() == pytest.approx(slow, rel=1e-12)


def test_the_clipped_value_branch_wins() -> None:
    assert clipped_value_loss(t([0.9]), t([0.5]), t([1.0]), 0.2).item() == pytest.approx(0.045, rel=1e-12)
    assert clipped_value_loss(t([0.9]), t([0.5]), t([1.0]), math.inf).item() == pytest.approx(0.005, rel=1e-12)
