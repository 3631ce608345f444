"""Lion: its update by a slow loop, the box of its decay, what it keeps, and the reading of the box."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Parameter

from tvo_cli import config
from tvo_cli.optim import Lion
from tvo_cli.training.metrics.weight_box import share_of_box


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
