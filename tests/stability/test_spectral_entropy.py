"""Diffusion spectral entropy: one cluster, many, two of unequal size by hand, and what it does not depend on."""

from __future__ import annotations

import math

import pytest
import torch

from tvo_cli.stability.spectral_entropy import diffusion_spectral_entropy, median_distance


def test_equal_points_have_none_and_points_far_apart_have_the_most() -> None:
    assert diffusion_spectral_entropy(torch.ones(8, 3), 1.0, 1.0) == pytest.approx(0.0, abs=1e-9)
    far = 1e3 * torch.eye(64)
    assert diffusion_spectral_entropy(far, 1.0, 1.0) == pytest.approx(6.0, abs=1e-6)


def test_two_points_by_hand() -> None:
    """G = [[1, g], [g, 1]], K = G/(1 + g): eigenvalues 1 and (1 − g)/(1 + g), g = e^−½ at distance σ; t = 2 squares."""
    g = math.exp(-0.5)
    for time in (1.0, 2.0):
        second = ((1 - g) / (1 + g)) ** time
        shares = [1 / (1 + second), second / (1 + second)]
        wanted = -sum(share * math.log2(share) for share in shares)
        found = diffusion_spectral_entropy(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), 5.0, time)
        assert found == pytest.approx(wanted, abs=1e-9)


def test_a_rotation_changes_nothing_and_a_scale_does() -> None:
    torch.manual_seed(0)
    points = torch.randn(12, 4)
    turn = torch.linalg.qr(torch.randn(4, 4)).Q
    own = diffusion_spectral_entropy(points, 1.0, 1.0)
    assert diffusion_spectral_entropy(points @ turn + 3.0, 1.0, 1.0) == pytest.approx(own, abs=1e-4)
    assert diffusion_spectral_entropy(3.0 * points, 1.0, 1.0) > own + 0.1
    assert diffusion_spectral_entropy(3.0 * points, 3.0, 1.0) == pytest.approx(own, abs=1e-4)


def test_the_median_distance_of_three_points() -> None:
    assert median_distance(torch.tensor([[0.0], [1.0], [5.0]])) == pytest.approx(4.0)
    assert math.isnan(median_distance(torch.zeros(1, 2)))
