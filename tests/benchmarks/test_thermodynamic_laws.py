"""The thermodynamic laws' fits against curves that were made by them, and its measures on quadratic valleys."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.thermodynamic_laws.fits import (
    Curve,
    annealing_area,
    annealing_law,
    fit_decays,
    fit_law,
    heat,
    log_slope,
    mean_error,
    thermodynamic_law,
)
from benchmarks.thermodynamic_laws.runs import evenly, lanczos
from benchmarks.thermodynamic_laws.tables import predicted_energies


def curve(rates: list[float]) -> Curve:
    return Curve(np.asarray(rates), np.arange(20, len(rates) + 1, 10), np.zeros(len(np.arange(20, len(rates) + 1, 10))))


def test_heat_is_the_recursion_of_a_noisy_valley() -> None:
    """From equilibrium at η₀ = 0.1, a = 2, s = 1, linear to 0 in 50 steps: 0.00718 of methods-2.md; C = s²/4."""
    rates = np.asarray([0.1 * (1 - k / 50) for k in range(50)])
    start = 2.0 * (0.1 / (2.0 * (2.0 - 0.2))) / 2.0
    assert heat(rates, 0.25, 2.0, start)[-1] == pytest.approx(0.00718, abs=5e-6)
    plateau = heat(np.full(4000, 0.01), 0.25, 2.0, 0.0)[-1]
    assert plateau == pytest.approx(0.01 / (2 * (2 - 0.02)), rel=1e-9) == pytest.approx(0.25 * 0.01, rel=0.02)


def test_the_annealing_area_by_hand() -> None:
    """Rates 1, 1, 0.5, 0.5, λ = ½: momenta 0, 0, 0.5, 0.25."""
    assert annealing_area(np.asarray([1.0, 1.0, 0.5, 0.5]), 0.5).tolist() == [0.0, 0.0, 0.5, 0.75]


@pytest.mark.slow
def test_each_law_recovers_its_own_curves_and_the_other_does_not() -> None:
    rates = [[2e-3] * 300, [2e-3 * (1 + math.cos(math.pi * k / 300)) / 2 for k in range(300)]]
    other = curve([2e-3 * min(1.0, (300 - k) / 60) for k in range(300)])
    for law, p in ((thermodynamic_law, [-1.5, 0.4, 1.1, 3.0, 3.5]), (annealing_law, [-1.5, 0.4, 1.1, -0.5, 4.0])):
        true = np.asarray(p)
        curves = [Curve(c.rates, c.steps, law(c, true)) for c in map(curve, rates)]
        unseen = Curve(other.rates, other.steps, law(other, true))
        rival = annealing_law if law is thermodynamic_law else thermodynamic_law
        own, theirs = (mean_error(one, fit_law(one, curves), [unseen]) for one in (law, rival))
        assert own < 1e-4 < theirs


def test_decays_give_the_capacity_and_the_river_back() -> None:
    peak, level, river, capacity, curvature = 2e-3, 1.2, 0.3, 20.0, 30.0
    pairs = [(area, end) for area in (0.01, 0.03, 0.09) for end in (2e-5, 2e-4, 6e-4)]
    losses = [
        level - river * area + capacity * (end + (peak - end) * math.exp(-2 * curvature * area)) for area, end in pairs
    ]
    found = fit_decays(peak, [area for area, _ in pairs], [end for _, end in pairs], losses)
    assert (found.capacity, found.river, found.curvature) == pytest.approx((capacity, river, curvature), rel=0.05)
    assert found.explained == pytest.approx(1.0, abs=1e-4)


def test_lanczos_finds_the_largest_of_a_known_matrix() -> None:
    generator = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(30, 30, generator=generator)).Q
    matrix = turn @ torch.diag(torch.arange(1.0, 31.0)) @ turn.T
    values, vectors = lanczos(lambda v: matrix @ v, torch.randn(30, generator=generator), 3, 25)
    assert values.tolist() == pytest.approx([30.0, 29.0, 28.0], rel=1e-2)
    assert torch.allclose(matrix @ vectors[:, 0], 30.0 * vectors[:, 0], atol=0.1)


def test_predicted_energies_and_exponents_by_hand() -> None:
    """η = 0.1: a = 4, s² = 2 gives 0.2/(2·1.6); a = 20 is at the edge."""
    found = predicted_energies({"rate": 0.1, "curvatures": [4.0, 20.0], "noises": [2.0, 1.0]})
    assert found[0] == pytest.approx(0.0625) and math.isnan(found[1])
    assert log_slope([1.0, 2.0, 4.0], [3.0, 6.0, 12.0]) == pytest.approx(1.0)
    assert evenly(10, 3) == [2, 6, 9] and evenly(3, 12) == [0, 1, 2]
