"""θ ← θ − (η/ν)·P·∇L: what the viscosity divides, with the product's own optimisers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.training.conftest import MetricRows, Runs
from tvo_cli import config
from tvo_cli.optim import Lion
from tvo_cli.training.step_state import UpdateReport
from tvo_cli.training.update.policy_update import _optimizer_step

RATE, FACTOR, GRADIENT = 0.1, 0.5, torch.tensor([3.0, -0.2], dtype=torch.float64)


def moved(optimizer: str, viscosity: float, loss_factor: float = 1.0) -> torch.Tensor:
    """How far one step at a warm-up factor of a half moves two parameters, and that the report says its rate."""
    parameter = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    parameter.grad = loss_factor * GRADIENT
    make = config.build(config.compose([f"optimizer={optimizer}", "output_dir=x"]).optimizer.make)
    learner: Any = SimpleNamespace(lr=RATE, optimizer=make([parameter], lr=RATE))
    report = UpdateReport()
    _optimizer_step(learner, 0.02, viscosity, report, FACTOR)
    assert report.rates == [RATE * FACTOR / viscosity] and report.viscosities == [viscosity]
    return parameter.detach()


def test_under_sgd_a_step_is_the_rate_over_the_viscosity_times_the_gradient() -> None:
    for viscosity in (1.0, 4.0):
        expected = -RATE * FACTOR / viscosity * GRADIENT
        torch.testing.assert_close(moved("sgd", viscosity), expected, rtol=1e-12, atol=0)


def test_adam_cancels_a_factor_on_the_loss_and_not_the_viscosity() -> None:
    plain, scaled, viscous = moved("adamw", 1.0), moved("adamw", 1.0, loss_factor=7.0), moved("adamw", 7.0)
    torch.testing.assert_close(scaled, plain, rtol=1e-6, atol=0)
    torch.testing.assert_close(viscous, plain / 7.0, rtol=1e-9, atol=0)
    assert float(plain[0]) == pytest.approx(-RATE * FACTOR, rel=1e-6)


def test_under_lion_the_rate_that_is_reported_is_how_far_every_coordinate_moves() -> None:
    """A fifth of η/ν: Lion takes a share of a rate that was chosen for AdamW."""
    parameter = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    parameter.grad, report = GRADIENT.clone(), UpdateReport()
    learner: Any = SimpleNamespace(lr=RATE, optimizer=Lion([parameter], lr=RATE, lr_scale=0.2))
    _optimizer_step(learner, 0.02, 4.0, report, FACTOR)
    assert report.rates == [pytest.approx(0.2 * RATE * FACTOR / 4.0)]
    torch.testing.assert_close(parameter.detach().abs(), torch.full_like(GRADIENT, report.rates[0]))


def test_the_pass_at_which_a_batch_ends_early_took_no_step_and_has_no_norm(run: Runs, steps: MetricRows) -> None:
    """The second of two: what the batches have is what those of a run with one pass have, whose policy is the same."""
    words = ("algorithm=grpo_early_stop", "rollout.minibatches=1", "trainer.steps=2", "algorithm.step_rule.limit=1e-6")
    one, two = steps(run("one", *words, "rollout.epochs=1")), steps(run("two", *words, "rollout.epochs=2"))
    for once, ended in zip(one, two, strict=True):
        assert ended["optimizer/steps"] == 1.0 and ended["policy/tv"] > 1e-6 > once["policy/tv"]
        for name in ("gradient/norm", "gradient/norm_max", "gradient/log_fluctuation", "gradient/clipped"):
            assert ended[name] == once[name], name
    assert two[1]["gradient/log_fluctuation"] > 0.0
