"""Values of an arm: equal ones have a mean and no interval."""

from __future__ import annotations

import math

import pytest

from tvo_cli.comparison.analysis.run_values import mean_of_known_values


@pytest.mark.parametrize("values", [[0.417, 0.417], [0.0, 0.0, None, 0.0], [53760.0] * 5])
def test_equal_values_say_nothing_of_other_seeds(values: list[float | None]) -> None:
    found = mean_of_known_values(values, 0.95)
    assert found.mean == values[0] and math.isnan(found.low) and math.isnan(found.high)


def test_others_have_an_interval() -> None:
    found = mean_of_known_values([0.4, 0.5], 0.95)
    assert found.low < 0.45 < found.high
