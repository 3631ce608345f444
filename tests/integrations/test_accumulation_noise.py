"""The noise of a gradient, read from the passes of an accumulation, against a slow obvious computation."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.integrations.accumulation_noise import AccumulationNoise

INPUTS = ((1.0, 2.0), (3.0, -1.0), (0.5, 0.5))


def passes(noise: AccumulationNoise, weight: torch.Tensor) -> dict[str, float]:
    noise.begin_step()
    for number, inputs in enumerate(INPUTS):
        (weight * torch.tensor(inputs)).sum().backward()
        if number < len(INPUTS) - 1:
            noise.end_part()
    weight.grad.mul_(0.01)  # type: ignore[union-attr]  # a trainer clips before it says that the step is whole
    return noise.end_step(rollouts=6)


def test_variance_and_signal_are_those_of_the_parts_before_clipping() -> None:
    weight = torch.ones(2, requires_grad=True)
    noise = AccumulationNoise([weight])
    noise.attach()
    found = passes(noise, weight)
    squares, whole = 5.0 + 10.0 + 0.5, 4.5**2 + 1.5**2
    variance = 3 / 2 * (squares - whole / 3)
    assert found["gradient/variance"] == pytest.approx(variance)
    assert found["gradient/signal"] == pytest.approx(whole - variance)
    assert found["gradient/noise_scale"] == pytest.approx(variance / (whole - variance) * 6)
    weight.grad = None
    assert passes(noise, weight)["gradient/variance"] == pytest.approx(variance)


def test_detached_it_reads_nothing_and_one_pass_has_no_variance() -> None:
    weight = torch.ones(2, requires_grad=True)
    noise = AccumulationNoise([weight])
    noise.attach()
    noise.begin_step()
    weight.sum().backward()
    assert noise.end_step(rollouts=2) == {}
    noise.detach()
    assert passes(noise, weight) == {}


def test_a_gradient_that_comes_twice_in_a_pass_gives_no_reading_and_no_error() -> None:
    weight = torch.ones(2, requires_grad=True)
    noise = AccumulationNoise([weight])
    noise.attach()
    noise.begin_step()
    for _ in range(3):
        weight.sum().backward()
    noise.end_part()
    weight.sum().backward()
    assert noise.end_step(rollouts=2) == {}
