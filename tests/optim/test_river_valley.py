"""The 1/t schedule: its ends by hand, its defining property, and that nothing cools a valley faster."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.optim import Constant, Cosine, Inverse, Linear, RiverValley, StableDecay

if TYPE_CHECKING:
    from tvo_cli.optim.schedule import Schedule


def river(**changes: Any) -> RiverValley:
    fields = {"start": 1.0, "end": 0.1, "warm_up": 0, "hold": 0.0, "drop": 0.5, "stiffness": 0.0}
    return RiverValley(**{**fields, **changes})


def heat_left(
    schedule: Schedule, curvature: float = 2.0, noise: float = 1.0, rate: float = 0.1, steps: int = 50
) -> float:
    """a·Var/2 of x ← x − η(a·x + s·ξ) after the run, from equilibrium at the peak: the exact recursion."""
    variance = rate * noise**2 / (curvature * (2 - rate * curvature))
    for k in range(steps):
        eta = rate * schedule(k, steps)
        variance = (1 - eta * curvature) ** 2 * variance + (eta * noise) ** 2
    return curvature * variance / 2


def test_ends_and_middle_by_hand() -> None:
    schedule = river(warm_up=2, hold=0.4)  # K = 10: t_d = 4, tau = 6/(0.5/0.1 - 1) = 1.5
    found = [schedule(k, 10) for k in (0, 1, 2, 3, 4, 7, 10, 20)]
    assert found == pytest.approx([0.5, 1.0, 1.0, 1.0, 0.5, 0.5 / 3, 0.1, 0.1])


def test_the_valley_is_left_with_the_heat_that_the_specification_simulated() -> None:
    cooled = [heat_left(s) for s in (river(end=0.0, stiffness=0.2), Linear(1, 0), Cosine(1, 0), Constant())]
    assert cooled == pytest.approx([0.00424, 0.00718, 0.00791, 0.0278], abs=5e-5)


def test_it_is_the_greedy_optimum_of_every_step() -> None:
    """η* = aV/(a²V + s²) minimises the next variance; from V = η₀s²/2a it is 1/(a(t + t₀)), t₀ = 2/(aη₀)."""
    curvature, noise, rate = 2.0, 1.0, 0.1
    schedule, variance = river(end=0.0, stiffness=curvature * rate), rate * noise**2 / (2 * curvature)
    for k in range(50):
        greedy = curvature * variance / (curvature**2 * variance + noise**2)
        inverse_time = 1 / (curvature * (k + 1 + 2 / (curvature * rate)))
        assert greedy == pytest.approx(inverse_time, rel=1e-12)
        assert rate * schedule(k + 1, 50) == pytest.approx(inverse_time, rel=1e-12)
        variance = 1 / (1 / variance + curvature**2 / noise**2)


def test_the_sum_of_rates_is_the_integral() -> None:
    steps, tau = 1000, 1000 / (0.5 / 0.1 - 1)
    total = sum(river()(k, steps) for k in range(steps))
    assert total == pytest.approx(0.5 * tau * math.log(1 + steps / tau), rel=1 / tau)


def test_it_contains_the_constant_and_the_inverse() -> None:
    assert {river(start=1.5, end=1.5, drop=1.0)(k, 30) for k in range(40)} == {1.5}
    inverse = river(start=1.75, end=0.0, drop=1.0, stiffness=0.1)
    assert [inverse(k, 0) for k in range(60)] == pytest.approx([Inverse(1.75, 20.0)(k, 0) for k in range(60)])


def test_no_end_and_no_stiffness_is_refused() -> None:
    with pytest.raises(UserError, match=r"schedule\.end=0.0.*stiffness"):
        river(end=0.0)


@pytest.mark.slow
def test_tvos_set_point_gets_the_same_mean_as_with_the_linear_cooling() -> None:
    for name in ("tvo_2025", "tvo_cosine", "tvo_river_valley"):
        schedule = config.build(config.compose([f"algorithm={name}"]).algorithm.step_rule.schedule)
        factors = [schedule(k, 1000) for k in range(1001)]
        assert (factors[0], factors[-1]) == pytest.approx((1.75, 0.25))
        assert sum(factors) / 1001 == pytest.approx(1.0, abs=0.005), name


def test_stable_decay_by_hand_and_what_it_contains() -> None:
    """K = 10, held to 6: 1 up to batch 6, then down by 0.225 a batch to 0.1."""
    found = [StableDecay(1.0, 0.1, 0.6)(k, 10) for k in (0, 5, 6, 7, 9, 10, 20)]
    assert found == pytest.approx([1.0, 1.0, 1.0, 0.775, 0.325, 0.1, 0.1])
    assert [StableDecay(1.75, 0.25, 0.0)(k, 30) for k in range(40)] == [Linear(1.75, 0.25)(k, 30) for k in range(40)]
    with pytest.raises(UserError, match=r"schedule\.hold=1.0"):
        StableDecay(1.0, 0.1, 1.0)


def test_every_schedule_is_a_choice_of_the_optimizer() -> None:
    """Linear, cosine, stable-decay, 1/t and river valley at the middle of a run of 100."""
    factors = {"linear": 0.5, "cosine": 0.55, "stable_decay": 1.0, "inverse": 1 / 3.5, "river_valley": 0.5}
    for name, wanted in factors.items():
        schedule = config.build(OmegaConf.load(config.choice_path("optimizer", f"adamw_{name}")).schedule)
        assert schedule(50, 100) == pytest.approx(wanted), name
