"""Lion: its update by a slow loop, the box of its decay, what it keeps, and the reading of the box."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.optim import Lion
from tvo_cli.training.metrics.weight_box import lion_readings, momentum_energy, share_of_box


def stepped(start: list[float], gradients: list[list[float]], **settings: Any) -> tuple[list[float], Lion]:
    weight = Parameter(torch.tensor(start, dtype=torch.float64))
    made = Lion([weight], lr=0.1, **{"weight_decay": 0.0} | settings)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        made.step()
    return weight.tolist(), made


def test_the_update_is_that_of_a_slow_loop() -> None:
    gradients = [[0.5, -2.0, 0.0], [-0.3, 1.0, 0.0], [-0.1, 0.1, 0.0], [4.0, -0.2, 1e-9]]
    expected, momentum = [1.0, -1.0, 0.5], [0.0] * 3
    for gradient in gradients:
        for place, g in enumerate(gradient):
            mixed = 0.9 * momentum[place] + 0.1 * g
            sign = (mixed > 0) - (mixed < 0)
            expected[place] = expected[place] * (1 - 0.05 * 0.3) - 0.05 * sign
            momentum[place] = 0.99 * momentum[place] + 0.01 * g
    found, made = stepped([1.0, -1.0, 0.5], gradients, weight_decay=0.3, lr_scale=0.5)
    assert found == pytest.approx(expected, rel=1e-12)
    assert next(iter(made.state.values()))["momentum"].tolist() == pytest.approx(momentum, rel=1e-12)


def test_every_coordinate_moves_by_the_rate_and_none_without_a_gradient() -> None:
    found, _ = stepped([1.0, 1.0, 1.0], [[1e-9, -1e9, 0.0]])
    assert found == pytest.approx([0.9, 1.1, 1.0])


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_a_constant_gradient_ends_at_the_edge_of_the_box(start: float) -> None:
    """θ → 1/λ = 2 from inside and from outside; the reading is then 1."""
    found, made = stepped([start], [[-1.0]] * 400, weight_decay=0.5)
    assert found[0] == pytest.approx(2.0, abs=1e-6)
    assert share_of_box(made) == pytest.approx(1.0, abs=1e-6)


def test_there_is_no_box_without_decay() -> None:
    assert share_of_box(stepped([3.0], [[1.0]])[1]) is None
    assert share_of_box(torch.optim.AdamW([Parameter(torch.ones(1))], weight_decay=0.5)) is None


def test_the_choice_builds_it_at_a_fifth_of_the_rate() -> None:
    chosen = config.compose(["optimizer=lion", "logger=none"]).optimizer
    weight = Parameter(torch.ones(1))
    made = config.build(chosen.make)([weight], lr=1.0)
    weight.grad = torch.ones(1)
    made.step()
    assert isinstance(made, Lion) and weight.item() == pytest.approx(0.8)


def test_flips_are_the_coordinates_that_turn_from_one_update_to_the_next() -> None:
    """Signs of 0.9·m + 0.1·g: +, −, + then −, −, + then +, −, +: one of four turns, and turns back; 0 turns never."""
    made = Lion([weight := Parameter(torch.zeros(4, dtype=torch.float64))], lr=0.1)
    made.counts_flips = True
    for gradient in ([1.0, -1.0, 1.0, 0.0], [-9.0, -1.0, -0.01, 0.0], [9.0, -1.0, 1.0, 0.0]):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        made.step()
    assert made.share_of_flips() == pytest.approx(2 / 8) and made.share_of_flips() is None
    assert made.state[weight]["direction"].tolist() == [1, -1, 1, 0] and made.state[weight]["direction"].itemsize == 1
    made.counts_flips = False
    made.step()
    assert set(made.state[weight]) == {"momentum"} and lion_readings(made).keys() == {"optimizer/lyapunov"}


def test_what_the_momentum_adds_to_the_lyapunov_function_by_hand() -> None:
    """g = −2, 4, η = 0.01, λ = ½: m = −0.02, 0.04, θ = ±0.01, ελ = 0.05; 0.9/1.05·(0.06 − 0.5·0.0006) = 0.0511714."""
    weight = Parameter(torch.zeros(2, dtype=torch.float64))
    made = Lion([weight], lr=0.05, weight_decay=0.5, lr_scale=0.2)
    weight.grad = torch.tensor([-2.0, 4.0], dtype=torch.float64)
    made.step()
    assert weight.tolist() == pytest.approx([0.01, -0.01])
    assert momentum_energy(made) == pytest.approx(0.9 / 1.05 * (0.06 - 0.5 * 0.0006), rel=1e-12)
    assert lion_readings(made) == {"optimizer/lyapunov": pytest.approx(0.051171429, rel=1e-7)}
    with torch.no_grad():
        weight[0] = 2.1
    assert lion_readings(made) == {}, "outside of the box it is infinite"


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_loss_and_that_together_fall_where_the_loss_alone_rises(decay: float) -> None:
    """f = Σ a(θ − t)²/2. f rises by 19 η² and more in an update; H by 2.4 at most, with λmθ left out by 6."""
    curvature, target, rate = torch.tensor([0.7, 1.3, 2.9]).double(), torch.tensor([1.5, -1.2, 0.4]).double(), 1e-3
    weight = Parameter(torch.tensor([-0.8, 0.3, 0.9], dtype=torch.float64))
    made, losses, totals = Lion([weight], lr=rate, weight_decay=decay), [], []
    for _ in range(3000):
        weight.grad = curvature * (weight.detach() - target)
        made.step()
        losses.append(float((curvature * (weight.detach() - target) ** 2 / 2).sum()))
        totals.append(losses[-1] + momentum_energy(made))
    rises = [max(after - before for before, after in pairwise(one)) for one in (losses, totals)]
    assert rises[0] > 15 * rate**2 and rises[1] < 4 * rate**2 and totals[-1] < totals[0] - 0.5


def test_lions_readings_are_of_lion_alone() -> None:
    assert lion_readings(torch.optim.AdamW([Parameter(torch.ones(1))])) == {}
    asked = ["stability.readings.lion=true", "output_dir=x", "logger=none"]
    with pytest.raises(UserError, match=r"stability\.readings\.lion=True.*optimizer=lion"):
        check_across_keys(config.compose(asked))
    check_across_keys(config.compose([*asked, "optimizer=lion"]))
