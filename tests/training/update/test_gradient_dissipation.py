"""‖∇L‖²_P of a step by hand, and what it promises of F in units of reward."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.training.conftest import MetricRows, Runs
from tvo_cli.objective import reduction
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.training.step_state import UpdateReport
from tvo_cli.training.update import gradient_dissipation
from tvo_cli.training.update.gradient_dissipation import preconditioned_square
from tvo_cli.training.update.policy_update import _report_descent

GRADIENTS = [torch.tensor([3.0, -4.0]), torch.tensor([[2.0], [0.5]])]


def stepped(make: Callable[..., torch.optim.Optimizer], steps: int = 1, **settings: Any) -> torch.optim.Optimizer:
    """An optimiser after so many steps along the same gradients."""
    parameters = [torch.nn.Parameter(torch.zeros_like(one)) for one in GRADIENTS]
    optimizer = make(parameters, lr=0.1, **settings)
    for _ in range(steps):
        for parameter, gradient in zip(parameters, GRADIENTS, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
    return optimizer


def test_under_sgd_it_is_the_squared_norm() -> None:
    assert preconditioned_square(stepped(torch.optim.SGD), Ranks()) == pytest.approx(9 + 16 + 4 + 0.25)


@pytest.mark.parametrize("steps", [1, 3])
def test_under_adam_a_constant_gradient_counts_by_its_size(steps: int) -> None:
    """v/(1 − β₂^t) = g² at every step, so P g² = g²/(|g| + ε), whatever momentum does to the step."""
    found = preconditioned_square(stepped(torch.optim.AdamW, steps, betas=(0.9, 0.95), eps=0.5), Ranks())
    assert found == pytest.approx(sum(g * g / (abs(g) + 0.5) for g in (3.0, 4.0, 2.0, 0.5)), rel=1e-6)


def test_large_parameters_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = stepped(torch.optim.AdamW)
    whole = preconditioned_square(optimizer, Ranks())
    monkeypatch.setattr(gradient_dissipation, "AT_ONCE", 1)
    assert preconditioned_square(optimizer, Ranks()) == pytest.approx(whole)


def test_an_optimiser_whose_metric_is_not_known_promises_nothing() -> None:
    assert preconditioned_square(stepped(torch.optim.AdamW, amsgrad=True), Ranks()) is None
    assert preconditioned_square(stepped(torch.optim.RMSprop), Ranks()) is None


@pytest.mark.parametrize(
    ("reduce", "per_reward"),
    [  # responses of 1 and 3 tokens, κ = 2: κ over the mean length; κ times the mean of 1/length over tokens; κ over 8
        (reduction.token_mean, 2 / 2),
        (reduction.sequence_mean, 2 * (1 + 3 / 3) / 4),
        (lambda mask: reduction.constant_length(mask, length=8.0), 2 / 8),
    ],
)
def test_it_is_in_units_of_reward_and_of_the_unclipped_gradient(
    reduce: Callable[[torch.Tensor], torch.Tensor], per_reward: float
) -> None:
    mask = torch.tensor([[True, False, False], [True, True, True]])
    assert descent_of_a_batch(mask, mask, reduce) == pytest.approx(29.25 * 4.0 / per_reward, rel=1e-5)


def descent_of_a_batch(
    mask: torch.Tensor, counted: torch.Tensor, reduce: Callable[[torch.Tensor], torch.Tensor]
) -> float | None:
    """‖∇F‖²_P of two responses, κ = 2, after a clip of ‖g‖ = 4 to 1."""
    learner: Any = SimpleNamespace(
        optimizer=stepped(torch.optim.SGD),
        runtime=SimpleNamespace(ranks=Ranks()),
        algorithm=SimpleNamespace(objective=SimpleNamespace(reduce=reduce)),
        clip_norm=1.0,
    )
    batch: Any = SimpleNamespace(
        experience=SimpleNamespace(mask=mask, internal=False),
        advantage=SimpleNamespace(scale=2.0),
        demonstrated=None,
        counted=counted,
    )
    report = UpdateReport(norms=[4.0])
    _report_descent(learner, batch, SimpleNamespace(rows=torch.arange(2)), report)  # type: ignore[arg-type]
    return report.descent


def test_tokens_that_the_loss_leaves_out_have_no_share_in_it() -> None:
    """Clip_B leaves one of four tokens out; the share of each other one is 1/(8 · 2): κ · responses · 3/16 / 4."""
    mask = torch.tensor([[True, False, False], [True, True, True]])
    counted = torch.tensor([[True, False, False], [True, False, True]])
    found = descent_of_a_batch(mask, counted, lambda tokens: reduction.constant_length(tokens, length=8.0))
    assert found == pytest.approx(29.25 * 4.0 / (2 * 2 * 3 / 16 / 4), rel=1e-5)


@pytest.mark.slow
def test_small_steps_of_a_run_dissipate_what_they_promise(run: Runs, steps: MetricRows) -> None:
    """SGD, one update a batch: each row has the promise of the update before it, and F moves by no more than noise."""
    words = ("algorithm=reinforce", "optimizer=sgd", "optimizer.lr=1e-3", "rollout.epochs=1", "rollout.minibatches=1")
    first, *rows = steps(run("run", *words))
    assert "thermo/predicted_dissipation" not in first
    assert all(0.0 <= row["thermo/predicted_dissipation"] < math.inf for row in rows)
