"""EPO's corridor on F0: distance, phase weight, the three slopes, and that a run carries the past."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tvo_cli.objective import EntropyCorridor
from tvo_cli.types import Tokens

D = torch.float64
BASE: dict[str, Any] = {"coef": 1.0, "scale": 0.1, "low": 0.8, "high": 1.2, "phase": 3.0, "middle": 75.0}
DISTANCE = [[0.5, 0, 0.9], [0, 0.4, 0], [0.2, 0.5, 0], [0.7, 0, 0]]


def corridor(**changes: Any) -> EntropyCorridor:
    """Of F0's history, 1.2, 1.0 and .8: H̄ = 1."""
    made = EntropyCorridor(**BASE | changes)
    for entropy in (1.2, 1.0, 0.8):
        made.end_batch(entropy)
    return made


@pytest.fixture
def tokens(f0: dict[str, torch.Tensor]) -> Tokens:
    zeros, mask = torch.zeros(4, 3, dtype=D), f0["mask"]
    return Tokens(
        logp=f0["logp"],
        old_logp=f0["old"],
        entropy=f0["entropy"].clone().requires_grad_(),
        collision=zeros,
        advantage=zeros,
        mask=mask,
        share=mask / mask.sum(1, keepdim=True) / 4,
    )


def test_the_distance_of_every_token(tokens: Tokens) -> None:
    found = corridor().distance(tokens.entropy) * tokens.mask
    torch.testing.assert_close(found, torch.tensor(DISTANCE, dtype=D))
    above = corridor(low=0.0, high=2.0).distance(tokens.entropy) * tokens.mask
    assert above.nonzero().tolist() == [[0, 2]] and above[0, 2].item() == pytest.approx(0.1)


def test_the_loss_and_its_three_slopes(tokens: Tokens) -> None:
    """β_3 = 1 + e^(−9/75): above λ(1 − β·α), below λ(1 + β·α), inside λ, each times the token's share of −1.

    P: .4, 0, .8 | 0, .3 | .1, .4, 0 | .6, whose mean over responses is .329167.
    """
    made = corridor(coef=0.5, low=0.7, high=1.3)
    strength = 0.1 * (1 + torch.tensor(-3 * 3 / 75, dtype=D).exp())
    value = made(tokens)
    (gradient,) = torch.autograd.grad(value, tokens.entropy)
    slope = torch.tensor([[1, 0, -1], [0, 1, 0], [1, -1, 0], [1, 0, 0]], dtype=D)
    torch.testing.assert_close(gradient, -0.5 * (1 + strength * slope) * tokens.share)
    bonus = float((tokens.entropy * tokens.share).sum().detach())
    assert value.item() == pytest.approx(0.5 * (float(strength) * 0.329167 - bonus), abs=1e-6)


def test_the_corridor_is_around_the_mean_of_the_batches_that_were(tokens: Tokens) -> None:
    """.3 and .9 nats: H̄ = .6, its bounds .48 and .72; the first token's .3 is .18 below, the second's 1.2 .48 above."""
    made = EntropyCorridor(**BASE)
    for entropy in (0.3, 0.9):
        made.end_batch(entropy)
    assert made.distance(tokens.entropy)[0, :2].tolist() == pytest.approx([0.18, 0.48])


@pytest.mark.parametrize(("batches", "weight"), [(0, 2.0), (75, 1.049787), (150, 1.002479)])
def test_the_phase_weight_falls(batches: int, weight: float) -> None:
    made = EntropyCorridor(**BASE | {"scale": 1.0}, total=0.0, batches=batches)
    assert made.strength == pytest.approx(weight, abs=1e-6)


def test_without_a_past_or_a_scale_it_is_the_entropy_bonus(tokens: Tokens) -> None:
    for made in (EntropyCorridor(**BASE), corridor(scale=0.0)):
        assert made(tokens).item() == pytest.approx(-float((tokens.entropy * tokens.share).sum().detach()))


def test_the_past_survives_a_checkpoint() -> None:
    made, twin = corridor(), EntropyCorridor(**BASE)
    twin.load_state_dict(made.state_dict())
    assert twin == replace(made)
