"""Weights by windows of losses: the numbers of the specification, and what they are invariant to."""

from __future__ import annotations

import math

import pytest
import torch

from tvo_cli.maths.loss_balancing import window_weights

D = torch.float64


def test_a_falling_still_objective_and_a_flat_volatile_one() -> None:
    """m = .1, .8, m' = .2, .8, s = 0, .16: c = ½, 1, i = 0, .1; λ = 2·softmax(.1, .22)."""
    losses = torch.tensor([[0.2, 0.2, 0.1, 0.1], [0.7, 0.9, 0.64, 0.96]], dtype=D)
    assert window_weights(losses, temperature=5.0).tolist() == pytest.approx([0.9401, 1.0599], abs=5e-5)
    first = 1 / (1 + math.exp(1.1 - 0.5))
    assert window_weights(losses, temperature=1.0).tolist() == pytest.approx([2 * first, 2 - 2 * first])


def test_weights_sum_to_their_number_and_do_not_know_the_scale_of_a_loss() -> None:
    losses = torch.rand(3, 8, generator=torch.Generator().manual_seed(0), dtype=D) + 0.1
    found = window_weights(losses, temperature=0.5)
    assert found.sum().item() == pytest.approx(3.0)
    scaled = losses * torch.tensor([[1.0], [7.0], [0.3]], dtype=D)
    torch.testing.assert_close(window_weights(scaled, temperature=0.5), found)
    assert (window_weights(losses, temperature=math.inf) == 1.0).all()


def test_a_solved_objective_neither_divides_by_zero_nor_takes_all() -> None:
    """Losses of 0 count as 1e-3; one that rose a hundredfold as c = 3."""
    losses = torch.tensor([[0.0] * 4, [0.005, 0.005, 0.5, 0.5]], dtype=D)
    second = 1 / (1 + math.exp((1.0 - 3.0) / 5))
    assert window_weights(losses, temperature=5.0)[1].item() == pytest.approx(2 * second)
