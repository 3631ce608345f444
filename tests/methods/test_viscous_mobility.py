"""TVO's micro viscosity where it bites."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.methods.conftest import moved
from tvo_cli.maths.surrogates import arctan_gain
from tvo_cli.methods.viscous_mobility import viscous_mobility
from tvo_cli.types import Tokens

D = torch.float64


@pytest.mark.parametrize(
    ("old", "new", "weight"),
    [(0.5, 0.5, 1.0), (0.5, 0.575, 0.5), (0.5, 0.425, 0.5), (0.5, 0.65, 0.2), (0.1, 0.127, 0.5), (0.01, 0.01297, 0.5)],
)
def test_mobility_halves_at_delta_nats_of_logit_for_frequent_and_rare_tokens_alike(
    make_tokens: Callable[..., Tokens], old: float, new: float, weight: float
) -> None:
    found = viscous_mobility(moved(make_tokens, old, new), delta=0.3, floor=0.0)
    torch.testing.assert_close(found, torch.full((4, 6), weight, dtype=D), rtol=1e-9, atol=0)


def test_a_certain_token_is_measured_in_probability_by_the_floor(make_tokens: Callable[..., Tokens]) -> None:
    found = viscous_mobility(moved(make_tokens, 1.0, 0.9), delta=1.0, floor=0.1)
    torch.testing.assert_close(found, torch.full((4, 6), 0.5, dtype=D), rtol=1e-9, atol=0)


def test_it_is_the_gradient_of_an_arctan_potential(make_tokens: Callable[..., Tokens]) -> None:
    tokens = make_tokens(drift=0.5)
    old = tokens.old_logp.exp()
    radius = 0.3 * (old * (1 - old))
    potential = arctan_gain(tokens.logp, tokens.old_logp, tokens.advantage, radius)
    (slope,) = torch.autograd.grad(potential.sum(), tokens.logp)
    ratio = (tokens.logp - tokens.old_logp).exp()
    weight = viscous_mobility(tokens, delta=0.3, floor=0.0)
    keep = tokens.mask
    torch.testing.assert_close(slope[keep], (weight * ratio * tokens.advantage)[keep], rtol=1e-9, atol=1e-12)
