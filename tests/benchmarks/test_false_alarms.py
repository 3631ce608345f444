"""The simulation of false alarms follows the sums of the rule itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.false_alarms import drift_after, pairs_above, score_of_each
from tvo_cli.maths.permutation_test import permutation_z, score_z
from tvo_cli.stability.lyapunov_condition import FreeEnergySample, LyapunovCondition


def test_the_simulation_of_false_alarms_has_the_same_sums() -> None:
    draw = np.random.default_rng(0)
    batches = [-draw.binomial(2, 0.7, (3, 16)) / 2 for _ in range(4)]
    drift = drift_after(np.ones(3), batches[3], batches[:3])
    for row in range(3):
        samples = [FreeEnergySample(torch.from_numpy(one[row]), torch.zeros(16).double()) for one in batches]
        condition = LyapunovCondition(samples[2], samples[:3], 1.0)
        assert drift[row] == pytest.approx(condition.read(samples[3], 0.0).drift)
        expected = score_z(samples[3].energies, samples[2].energies)
        assert score_of_each(batches[3], batches[2])[row] == pytest.approx(expected)


def test_the_rows_that_it_leaves_out_are_below_the_limit() -> None:
    draw = np.random.default_rng(1)
    fresh, before = -draw.binomial(2, 0.6, (200, 16)) / 2, -draw.binomial(2, 0.8, (200, 16)) / 2
    every = [permutation_z(torch.from_numpy(a), torch.from_numpy(b)) >= 2.5 for a, b in zip(fresh, before)]
    assert pairs_above(fresh, before, 2.5) == sum(every) > 20
