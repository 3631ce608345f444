"""The threshold of many looks, against the tails that it stands for."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from tvo_cli.diagnosis.repeated_testing import errors_for_looks


def test_one_look_is_the_threshold_itself() -> None:
    assert errors_for_looks(3.0, 1) == errors_for_looks(3.0, 0) == 3.0


@pytest.mark.parametrize("looks", [10, 400, 10_000])
def test_so_many_looks_alarm_no_more_often_than_one(looks: int) -> None:
    def tail(errors: float) -> float:
        return NormalDist().cdf(-errors)

    many = 1 - (1 - tail(errors_for_looks(3.0, looks))) ** looks
    assert 0.4 * tail(3.0) < many <= tail(3.0)  # at most; and no stricter than the factor z/z' makes it
    assert errors_for_looks(3.0, looks) > errors_for_looks(3.0, looks - 1) > 3.0 and math.isfinite(many)
