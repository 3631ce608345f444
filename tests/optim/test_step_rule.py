"""The viscosity controller: its law by hand, its fixed point, its limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.optim import Constant, Cosine, Free, Inverse, Linear, LogitDisplacement, Probability, StepRule, Viscosity


def rule(**changes: Any) -> Viscosity:
    fields = {
        "set_point": Probability(0.012),
        "schedule": Constant(),
        "exponent": 0.5,
        "initial": 10.0,
        "maximum": 256.0,
    }
    return Viscosity(**{**fields, **changes})


def begin(viscosity: StepRule, step: int = 0, steps: int = 30) -> None:
    viscosity.begin_batch(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), step, steps)


def test_the_law_by_hand() -> None:
    viscosity = rule()
    begin(viscosity)
    assert viscosity.viscosity(0.0) == 10.0
    viscosity.end_batch()
    assert viscosity.base == 10.0, "a batch of one step reads D = 0 and tells nothing"
    begin(viscosity)
    viscosity.viscosity(0.0)
    assert viscosity.viscosity(0.012) == pytest.approx(20.0, rel=1e-12)
    assert viscosity.viscosity(0.024) == pytest.approx(50.0, rel=1e-12)
    viscosity.end_batch()
    assert viscosity.base == pytest.approx(10.0 * math.sqrt(2.0), rel=1e-12)
    begin(viscosity)
    viscosity.viscosity(0.5)
    viscosity.viscosity(0.0)
    viscosity.end_batch()
    assert viscosity.base == 1.0
    viscosity.viscosity(1.0)
    for _ in range(20):
        viscosity.end_batch()
    assert viscosity.base == 256.0


def test_a_minimum_below_one_lets_the_step_exceed_the_rate_and_no_further() -> None:
    """ν_b = 10·√(0.003/0.012)^k: 5, 2.5, 1.25, then 0.625 where a minimum of 1 would hold it; ¼ is the end."""
    for minimum, expected in ((1.0, [5.0, 2.5, 1.25, 1.0, 1.0, 1.0]), (0.25, [5.0, 2.5, 1.25, 0.625, 0.3125, 0.25])):
        viscosity, found = rule(minimum=minimum), []
        for _ in expected:
            begin(viscosity)
            viscosity.viscosity(0.0), viscosity.viscosity(0.003)
            viscosity.end_batch()
            found.append(viscosity.base)
        assert found == pytest.approx(expected, rel=1e-12)
    assert rule().minimum == 1.0, "the rate is the largest step, where nothing is said"


def test_bounds_that_leave_nothing_between_them_are_refused() -> None:
    with pytest.raises(UserError, match=r"step_rule\.minimum=1000: is more than algorithm\.step_rule\.maximum=256"):
        rule(minimum=1000)
    assert rule(minimum=256.0).minimum == 256.0


@pytest.mark.parametrize("eta", [1e-4, 3e-4, 1e-3, 3e-3])
def test_the_divergence_settles_at_the_set_point_whatever_the_rate(eta: float) -> None:
    """D = c·η/ν_b: log ν_b obeys a linear recursion with factor 1 − κ, so D → d̄ for every η."""
    viscosity = rule(maximum=1e9)
    for _ in range(60):
        begin(viscosity)
        viscosity.viscosity(0.0)
        viscosity.viscosity(200.0 * eta / viscosity.base)
        viscosity.end_batch()
    assert 200.0 * eta / viscosity.base == pytest.approx(0.012, rel=1e-3)


@pytest.mark.parametrize(("exponent", "power"), [(0.5, 1.0), (0.5, 2.0), (0.8, 0.5), (1.5, 1.0), (1.5, 1.6)])
def test_the_distance_from_the_set_point_shrinks_by_one_minus_kappa_beta(exponent: float, power: float) -> None:
    """D = c(η/ν_b)^β: log D/d̄ is multiplied by 1 − κβ every batch, so it settles for 0 < κβ < 2 and for no more."""
    viscosity = rule(exponent=exponent, initial=1e6, maximum=1e30)
    distances = []
    for _ in range(5):
        begin(viscosity)
        viscosity.viscosity(0.0)
        moved = 0.012 * (1.2e6 / viscosity.base) ** power
        viscosity.viscosity(moved)
        viscosity.end_batch()
        distances.append(math.log(moved / 0.012))
    expected = [power * math.log(1.2) * (1 - exponent * power) ** k for k in range(5)]
    assert distances == pytest.approx(expected, abs=1e-9)
    assert (abs(distances[-1]) < abs(distances[0])) == (exponent * power < 2)


@pytest.mark.parametrize("noise", [0.0, 0.7, 3.0])
def test_expected_descent_needs_the_viscosity_of_the_page(noise: float) -> None:
    """F = ½L‖θ‖², a gradient g ± σe along an axis, both signs: E F falls if and only if ν > (ηL/2)(1 + σ²/‖g‖²)."""
    curvature, rate, theta = 2.0, 0.4, torch.tensor([0.6, -0.8], dtype=torch.float64)
    gradient = curvature * theta
    least = 0.5 * rate * curvature * (1 + noise**2 / float(gradient @ gradient))

    def rise(viscosity: float) -> float:
        """Mean F after a step of the product's optimiser less F before it."""
        after = []
        for sign in (1.0, -1.0):
            parameter = theta.clone().requires_grad_()
            parameter.grad = gradient + sign * noise * torch.tensor([0.0, 1.0], dtype=torch.float64)
            torch.optim.SGD([parameter], lr=rate / Free(viscosity).viscosity(0.0)).step()
            after.append(0.5 * curvature * float(parameter.detach().square().sum()))
        return sum(after) / 2 - 0.5 * curvature * float(theta.square().sum())

    assert rise(1.01 * least) < 0.0 < rise(0.99 * least)
    assert rise(least) == pytest.approx(0.0, abs=1e-12)


def test_the_recipe_has_the_constants_of_the_page() -> None:
    """d̄_k = 0.11 · mean π(1 − π) · (1.75 − 1.5·k/K), ν_b = 10 at the start, κ = ½, ν_max = 256."""
    viscosity = config.build(config.compose(["algorithm=tvo_2025", "logger=none"]).algorithm.step_rule)
    for k, factor in ((0, 1.75), (10, 1.25), (30, 0.25)):
        viscosity.begin_batch(torch.full((1, 2), 0.2).log(), torch.ones(1, 2, dtype=torch.bool), k, 30)
        assert viscosity.target == pytest.approx(0.11 * 0.16 * factor, rel=1e-6)
    assert (viscosity.base, viscosity.exponent, viscosity.maximum) == (10.0, 0.5, 256.0)


def test_neutral_viscosity_is_one() -> None:
    inert = rule(set_point=Probability(math.inf), initial=1.0, exponent=0.0)
    begin(inert)
    assert [inert.viscosity(d) for d in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0] == [Free().viscosity(0.3)] * 3


def test_the_set_point_is_a_displacement_in_logits() -> None:
    logp = torch.tensor([[0.5, 0.9, 0.1]], dtype=torch.float64).log()
    mask = torch.tensor([[True, True, False]])
    assert LogitDisplacement(0.11)(logp, mask) == pytest.approx(0.11 * (0.25 + 0.09) / 2, rel=1e-9)
    moved = (logp.exp() / (1 - logp.exp())).log() + 1e-4
    measured = (moved.sigmoid() - logp.exp())[mask].mean() / 1e-4
    assert float(measured) == pytest.approx(LogitDisplacement(1.0)(logp, mask), rel=1e-4)


def test_schedules() -> None:
    linear, inverse, cosine = Linear(1.75, 0.25), Inverse(1.75, 20.0), Cosine(1.0, 0.1)
    assert [linear(k, 30) for k in (0, 15, 30, 60)] == pytest.approx([1.75, 1.0, 0.25, 0.25])
    assert [inverse(k, 0) for k in (0, 20, 60)] == pytest.approx([1.75, 0.875, 0.4375])
    assert [cosine(k, 10) for k in (0, 5, 10, 20)] == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_the_mean_of_a_linear_factor_is_the_one_that_is_written() -> None:
    """1 + 0.75/K: the end is the factor of the batch after the last."""
    for steps in (30, 1000):
        factors = [Linear(1.75, 0.25)(k, steps) for k in range(steps)]
        assert sum(factors) / steps == pytest.approx(1 + 0.75 / steps) and factors[-1] > 0.25
    told = Linear.__doc__ or ""
    assert "1 + 0.75/K" in told and "(mean 1)" not in told


def test_cooling_moves_the_set_point_and_state_survives() -> None:
    viscosity = rule(schedule=Linear(1.75, 0.25))
    begin(viscosity, step=15)
    assert viscosity.target == pytest.approx(0.012)
    viscosity.viscosity(0.02)
    viscosity.end_batch()
    viscosity.raise_viscosity(2.0)
    other = rule(schedule=Linear(1.75, 0.25))
    other.load_state_dict(viscosity.state_dict())
    assert other.state_dict() == viscosity.state_dict()
    begin(viscosity, 16), begin(other, 16)
    assert other.viscosity(0.01) == viscosity.viscosity(0.01)
