"""Free energy of a policy by prompts."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.stability.lyapunov_condition import free_energy_sample


def test_a_prompt_is_one_value_and_what_nobody_could_judge_is_none() -> None:
    rewards, surprises = [1.0, 0.0, 0.5, 0.0, 0.0], torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0])
    group, judged = torch.tensor([0, 0, 2, 2, 1]), [True, True, True, False, False]
    found = free_energy_sample(rewards, surprises, group, judged)
    assert found is not None
    assert found.energies.tolist() == [-0.5, -0.5] and found.surprises.tolist() == [2.0, 5.0]
    assert found.at(0.1).tolist() == pytest.approx([-0.7, -1.0])
    assert free_energy_sample(rewards, surprises, group, [True, True, False, False, False]) is None
    assert free_energy_sample(rewards, surprises, group, [False] * 5) is None
