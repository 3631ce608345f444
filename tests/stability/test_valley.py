"""Valley readings: the fluctuation of a simulated gas, and the forces on a quadratic valley in closed form."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.stability.valley import heat_fluctuation, heats_at_rate, river_forces


def test_temperature_and_directions_of_a_simulated_valley() -> None:
    """h = (T/2)·χ²_N: 5,000 draws of 12 directions at T = 0.03."""
    draws = torch.randn(5_000, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = heat_fluctuation((0.03 * draws.square().sum(1) / 2.0).tolist())
    assert found is not None
    assert found.temperature == pytest.approx(0.03, rel=0.06) and found.directions == pytest.approx(12, rel=0.06)


def test_few_heats_and_negative_ones_tell_nothing() -> None:
    assert heat_fluctuation([0.1] * 4 + [0.2] * 3) is None
    assert heat_fluctuation([-0.1, -0.2] * 5) is None and heat_fluctuation([0.1] * 9) is None


def test_forces_along_the_river_of_a_valley_that_narrows() -> None:
    """l = −y + (1 + y)·x²/2 at y = 2, x = ½: ∂l/∂y is −1 at the bottom and −1 + x²/2 beside it."""

    def gradient(y: float, x: float) -> torch.Tensor:
        place = torch.tensor([y, x], requires_grad=True)
        (found,) = torch.autograd.grad(-place[0] + (1 + place[0]) * place[1] ** 2 / 2, place)
        return found

    forces = river_forces(gradient(2.0, 0.5), gradient(2.0, 0.0), torch.tensor([3.0, 0.0]))
    assert forces.bottom == pytest.approx(1.0) and forces.entropic == pytest.approx(-0.125)
    assert river_forces(gradient(2.0, 0.5), gradient(2.0, 0.0), torch.zeros(2)) == (0.0, 0.0)


def test_heats_of_two_rates_are_brought_to_one_before_their_spread_is_read() -> None:
    """3 and 5 at η, twice as much at 2η: ⟨h⟩ = 4 and Var = 8/7 at η, so T = 2/7 and N = 2·16·7/8 = 28."""
    heats, rates = [3.0, 5.0] * 2 + [6.0, 10.0] * 2, [1e-3] * 4 + [2e-3] * 4
    found = heat_fluctuation(heats_at_rate(heats, rates, 1e-3))
    assert found is not None and found.temperature == pytest.approx(2 / 7) and found.directions == pytest.approx(28)
    doubled = heat_fluctuation(heats_at_rate(heats, rates, 2e-3))
    assert (
        doubled is not None and doubled.temperature == pytest.approx(4 / 7) and doubled.directions == pytest.approx(28)
    )
    assert heats_at_rate(heats, [0.3] * 8, 0.3) == heats, "one rate: to the bit"
