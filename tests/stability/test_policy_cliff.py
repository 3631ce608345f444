"""Probes of the policy cliff against enumeration: ties, narrow groups, and the bound on the soft optimum's jump."""

from __future__ import annotations

import math

import pytest
import torch

from tvo_cli.maths.groups import groups_of
from tvo_cli.stability.policy_cliff import policy_cliff_readings, sensitivity


def enumerated(rewards: list[float], a: float, eps: float) -> float:
    """The largest ½Σ|p − p'| when one reward after the other is raised by ε."""

    def soft(values: list[float]) -> list[float]:
        weights = [math.exp(value / a) for value in values]
        return [weight / sum(weights) for weight in weights]

    before, found = soft(rewards), []
    for raised in range(len(rewards)):
        after = soft([value + eps * (n == raised) for n, value in enumerate(rewards)])
        found.append(sum(abs(x - y) for x, y in zip(before, after)) / 2)
    return max(found)


@pytest.mark.parametrize("rewards", [[1.0, 1.0, 0.0, 0.0], [1.0, 0.9, 0.0], [0.3, 0.3, 0.3]])
@pytest.mark.parametrize(("a", "eps"), [(0.1, 0.01), (0.01, 0.05), (1.0, 0.5)])
def test_the_jump_is_that_of_enumeration_and_within_its_bound(rewards: list[float], a: float, eps: float) -> None:
    found = sensitivity(torch.tensor(rewards, dtype=torch.float64), a, eps)
    assert found == pytest.approx(enumerated(rewards, a, eps), rel=1e-9)
    assert 0.0 < found <= eps / (2 * a)


def test_a_temperature_towards_0_is_the_hard_optimum() -> None:
    """ε/a = 1000: of two best ones the one that is raised takes all; one that is best alone keeps it."""
    assert sensitivity(torch.tensor([1.0, 1.0, 0.0]), 1e-5, 0.01) == pytest.approx(0.5)
    assert sensitivity(torch.tensor([1.0, 0.0]), 1e-5, 0.01) == 0.0


def test_ties_answers_and_narrow_groups_by_hand() -> None:
    """Group 0: two of four tie, with one answer; group 1: all tie, with two answers; group 2 differs by 0.04."""
    rewards = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.50, 0.54, 0.50, 0.54])
    answers: list[list[str | None]] = [["7", "7", "3", None], ["1", "1", "2", "2"], ["a", "b", "a", "c"]]
    group = torch.arange(3).repeat_interleave(4)
    found = policy_cliff_readings(groups_of(rewards, group), answers, temperature=0.1, perturbation=0.01, narrow=0.05)
    assert found["cliff/tied"] == pytest.approx((0.5 + 1.0 + 0.5) / 3)
    assert found["cliff/tied_answers"] == pytest.approx((1 + 2 + 2) / 3)
    assert found["cliff/narrow"] == pytest.approx(1 / 3)
    assert found["cliff/sensitivity"] < found["cliff/sensitivity_bound"] == pytest.approx(0.05)
