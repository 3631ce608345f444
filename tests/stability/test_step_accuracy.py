from __future__ import annotations

import math

import pytest

from tvo_cli.stability.step_accuracy import mean_with_error


def test_the_error_of_a_mean_comes_from_successive_differences_and_is_at_least_binomial() -> None:
    level, error = mean_with_error([0.5, 0.7, 0.5, 0.7], None)
    assert (level, error) == (pytest.approx(0.6), pytest.approx(math.sqrt(math.pi) / 2 * 0.2 / 2))
    assert mean_with_error([0.5] * 4, 100) == (0.5, pytest.approx(0.05 / 2))
    assert mean_with_error([0.5] * 4, None) == (0.5, 0.0)
