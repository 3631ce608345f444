"""The control variate off-policy, by enumeration of all actions of one state: what it adds to the expected gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tvo_cli import config
from tvo_cli.maths.surrogates import importance_weighted
from tvo_cli.objective import TsallisTemperature
from tvo_cli.objective.coefficient import Cooled
from tvo_cli.types import Tokens

D = torch.float64
OLD = torch.tensor([0.45, 0.25, 0.15, 0.1, 0.05], dtype=D)
LOGITS = torch.tensor([0.1, -1.3, 0.4, -2.0, 0.3], dtype=D)  # ratios from 0.25 to 5, both sides of every wall
ADVANTAGE = torch.tensor([1.2, -0.7, 0.3, -1.5, 0.0], dtype=D)
CONTROL = "algorithm.objective.forces.control"


def objective_of(*words: str) -> Any:
    return config.build(config.compose([*words, "logger=none"]).algorithm.objective)


def every_action(logits: Tensor, scale: float = 2.0) -> Tokens:
    """A row for each action, weighted by the probability with which π_old draws it."""
    log_pi = logits.log_softmax(-1)
    pi, column = log_pi.exp(), torch.ones(5, 1, dtype=D)
    return Tokens(
        logp=log_pi[:, None],
        old_logp=OLD.log()[:, None],
        entropy=-(pi * log_pi).sum() * column,
        collision=pi.square().sum() * column,
        advantage=ADVANTAGE[:, None],
        mask=torch.ones(5, 1, dtype=torch.bool),
        share=OLD[:, None],
        scale=scale,
    )


def expected_gradient(objective: Any, **changed: Any) -> Tensor:
    """Of the loss by the logits, over actions drawn by π_old."""
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(replace(every_action(logits), **changed)).total, logits)
    return gradient


def collision_gradient() -> Tensor:
    """∇Σπ² by the logits: 2π(π − Σπ²)."""
    pi = LOGITS.softmax(-1)
    return 2 * pi * (pi - pi.square().sum())


@pytest.mark.parametrize("potential", ["probability", "entropy"])
@pytest.mark.parametrize("algorithm", ["tvo", "grpo_shrunk_cv", "tvo_micro"])
def test_a_consistent_control_variate_adds_nothing_to_the_expected_gradient(algorithm: str, potential: str) -> None:
    words = (f"algorithm={algorithm}", f"{CONTROL}.potential={potential}", f"+{CONTROL}.consistent=true")
    without, with_it = (objective_of(*words, f"{CONTROL}.beta={beta}") for beta in (0.0, 0.7))
    assert expected_gradient(without).abs().max() > 0.01
    torch.testing.assert_close(expected_gradient(with_it), expected_gradient(without), rtol=0, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["tvo", "grpo_shrunk_cv"])
def test_both_halves_cancel_at_a_state_whatever_the_sampler(algorithm: str) -> None:
    """A sampler of other precision: rows weigh by what it draws, and carry π_trainer/π_sampler."""
    words = (f"algorithm={algorithm}", f"+{CONTROL}.consistent=true")
    without, with_it = (objective_of(*words, f"{CONTROL}.beta={beta}") for beta in (0.0, 0.7))
    drawn = (OLD + torch.tensor([0.05, -0.05, 0.02, -0.01, -0.01], dtype=D))[:, None]
    other = {"share": drawn, "importance": OLD[:, None] / drawn}
    found = expected_gradient(with_it, **other) - expected_gradient(without, **other)
    assert found.abs().max() < 1e-12


def test_of_another_one_a_negative_tsallis_temperature_is_left_over() -> None:
    """β(1 − w)·½∇Σπ² where every action has the same w: a weight of a half everywhere, and no wall."""
    variate, plain = (halved(objective_of("algorithm=tvo", f"{CONTROL}.beta={beta}")) for beta in (0.7, 0.0))
    expected = -2.0 * 0.7 * (1 - 0.5) * 0.5 * collision_gradient()  # of a loss; 2: the scale
    torch.testing.assert_close(expected_gradient(variate) - expected_gradient(plain), expected, rtol=0, atol=1e-12)
    assert variate.forces["control"].sharpening(damped=0.5) == pytest.approx(0.35)


def halved(objective: Any) -> Any:
    return replace(objective, weight=lambda tokens: torch.full_like(tokens.logp, 0.5), surrogate=importance_weighted)


def test_on_policy_the_two_forms_have_the_same_gradient_row_by_row() -> None:
    rows = []
    for consistent in ("true", "false"):
        objective = objective_of("algorithm=tvo", f"{CONTROL}.beta=0.7", f"+{CONTROL}.consistent={consistent}")
        logits = OLD.log().requires_grad_()
        tokens = every_action(logits)
        losses = [
            objective(replace(tokens, share=OLD[:, None] * (torch.arange(5) == a)[:, None])).total for a in range(5)
        ]
        rows.append(torch.stack([torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in losses]))
    torch.testing.assert_close(rows[0], rows[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("tau", [0.3, -0.3])
def test_the_tsallis_force_is_its_temperature_times_the_gradient_of_half_its_entropy(tau: float) -> None:
    force = TsallisTemperature(Cooled(first=tau, last=0.0, batches=10))
    plain = objective_of("algorithm=grpo")
    with_it = replace(plain, forces={"tsallis": force})
    found = expected_gradient(with_it) - expected_gradient(plain)
    torch.testing.assert_close(found, 2.0 * tau * 0.5 * collision_gradient(), rtol=0, atol=1e-12)
    assert force.sharpening(damped=0.0) == -tau


def test_cooling_is_linear_ends_and_is_restored() -> None:
    coefficient, seen = Cooled(first=-0.4, last=0.0, batches=4), []
    for _ in range(6):
        seen.append(coefficient.value)
        coefficient.update(entropy=1.0)
    assert seen == pytest.approx([-0.4, -0.3, -0.2, -0.1, 0.0, 0.0])
    restored = Cooled(first=-0.4, last=0.0, batches=4)
    restored.load_state_dict({"done": 3.0})
    assert restored.value == pytest.approx(-0.1) and restored.can_act
    assert not Cooled(first=0.0, last=0.0, batches=1).can_act
