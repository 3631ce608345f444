"""F by prompts, the two tests of its rise."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.maths.permutation_test import permutation_z
from tvo_cli.stability.lyapunov_condition import WINDOW, FreeEnergySample, LyapunovCondition, free_energy_sample


def sample(right: int, of: int = 64) -> FreeEnergySample:
    energies = torch.tensor([-1.0] * right + [0.0] * (of - right), dtype=torch.float64)
    return FreeEnergySample(energies, torch.full((of,), 2.0, dtype=torch.float64))


def follow(accuracies: list[int]) -> list[float]:
    """The CUSUM after each batch of 64 prompts with so many right, all of them accepted."""
    condition, found = LyapunovCondition(), []
    for right in accuracies:
        reading = condition.read(sample(right), 0.0)
        condition.accept(sample(right), reading.drift)
        found.append(reading.drift)
    return found


def test_a_prompt_is_one_value_and_what_nobody_could_judge_is_none() -> None:
    rewards, surprises = [1.0, 0.0, 0.5, 0.0, 0.0], torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0])
    group, judged = torch.tensor([0, 0, 2, 2, 1]), [True, True, True, False, False]
    found = free_energy_sample(rewards, surprises, group, judged)
    assert found is not None
    assert found.energies.tolist() == [-0.5, -0.5] and found.surprises.tolist() == [2.0, 5.0]
    assert found.at(0.1).tolist() == pytest.approx([-0.7, -1.0])
    assert free_energy_sample(rewards, surprises, group, [True, True, False, False, False]) is None
    assert free_energy_sample(rewards, surprises, group, [False] * 5) is None


def test_the_first_batch_is_compared_with_nothing_and_the_second_with_it() -> None:
    condition = LyapunovCondition()
    assert condition.read(sample(60), 0.0) == (None, 0.0)
    condition.accept(sample(60), 0.0)
    z = condition.read(sample(30), 0.0).z
    assert z == permutation_z(sample(30).energies, sample(60).energies) and z > 5.0
    assert condition.read(sample(62), 0.0).z == pytest.approx(-permutation_z(sample(60).energies, sample(62).energies))


def test_both_samples_are_read_at_one_temperature() -> None:
    """A warmer temperature lowers F of both by T·S: no rise, and no fall."""
    condition = LyapunovCondition(last=sample(40))
    assert condition.read(sample(40), 0.5).z == pytest.approx(0.0, abs=1e-9)


def test_three_errors_a_batch_add_up_where_none_of_them_is_refused() -> None:
    """A fall of five answers of 64 in each batch, 1.5 to 2 standard errors."""
    found = follow([60, 60, 60, 60, 55, 50, 45, 40])
    assert found[3] == 0.0 and found[-1] >= 6.0
    assert all(LyapunovCondition(last=sample(a)).read(sample(a - 5), 0.0).z < 3.0 for a in (60, 55, 50, 45))  # type: ignore[operator]


def test_learning_and_standing_still_add_nothing() -> None:
    assert follow([20, 25, 31, 36, 40, 44, 50, 55, 58, 60]) == [0.0] * 10
    assert follow([50] * 12) == [0.0] * 12


def test_one_batch_adds_no_more_than_its_limit() -> None:
    assert follow([60, 60, 60, 0])[-1] == 1.5


def test_the_window_moves_on_and_forgets_policies_that_were_taken_back() -> None:
    condition = LyapunovCondition()
    for right in range(30, 30 + WINDOW + 3):
        condition.accept(sample(right), 0.0)
    assert [-int(one.energies.sum()) for one in condition.window] == [*range(33, 33 + WINDOW)]
    condition.forget_newest(4)
    assert len(condition.window) == WINDOW - 4 and condition.last is None and condition.drift == 0.0
    condition.forget_newest(100)
    assert condition.window == []
