"""Thinned curves hide nothing: the least and the largest value are there, and what is not finite is counted."""

from __future__ import annotations

import json
import math
from array import array

import pytest

from tvo_cli.watch.envelope import thin_curve


def test_a_short_curve_is_whole() -> None:
    found = thin_curve(array("q", [1, 2, 5]), array("d", [0.5, 0.25, -1.0]), 3)
    assert (found["first"], found["mean"], "low" in found) == ([1, 2, 5], [0.5, 0.25, -1.0], False)


def test_a_long_curve_keeps_its_least_its_largest_and_its_mean() -> None:
    values = [math.sin(step) for step in range(1000)]
    values[777] = 50.0
    found = thin_curve(array("q", range(1000)), array("d", values), 100)
    width = 16  # the least power of two that leaves at most 100 points
    assert len(found["mean"]) == math.ceil(1000 / width) and found["first"][:2] == [0, 16] and found["last"][0] == 15
    for at in (0, 20, 48, 62):
        part = values[at * width : (at + 1) * width]
        told = [found[name][at] for name in ("low", "mean", "high")]
        assert told == pytest.approx([min(part), sum(part) / len(part), max(part)], rel=1e-4, abs=1e-5)
    assert max(found["high"]) == 50.0


def test_points_stay_what_they_are_while_a_curve_grows() -> None:
    values = array("d", [float(step % 7) for step in range(1000)])
    before, after = (thin_curve(array("q", range(n)), values[:n], 100) for n in (900, 1000))
    assert before["mean"][:-1] == after["mean"][: len(before["mean"]) - 1]


def test_what_is_not_finite_is_counted_and_what_is_absent_is_not() -> None:
    found = thin_curve(array("q", [1, 2, 3, 4]), array("d", [1.0, math.inf, math.nan, 2.0]), 10)
    assert (found["first"], found["broken"], found["breaks"], found["values"]) == ([1, 4], [2], 1, 2)


@pytest.mark.parametrize("values", [[], [math.nan], [1e308, 1e308, -1e308]], ids=["none", "absent", "huge"])
def test_any_curve_is_strict_json(values: list[float]) -> None:
    found = thin_curve(array("q", range(len(values))), array("d", values), 2)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
