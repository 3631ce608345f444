"""The time of a start and of its parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.gpu.budget import RESERVE, Budget
from benchmarks.gpu.plan import DEVICE, Part
from benchmarks.harness.benchmark import Unfinished
from benchmarks.harness.record import Row


def clock(*times: float) -> Callable[[], float]:
    ticks = iter(times)
    return lambda: next(ticks)


def test_a_part_gets_its_own_time_and_then_what_is_left() -> None:
    end = 60.0 - RESERVE
    budget = Budget(1.0, None, clock(0.0, *[10.0] * 2, *[end - 8.0] * 2, end - 1.0))
    assert budget.grant(20.0) == 20.0
    assert budget.grant(20.0) == 8.0
    with pytest.raises(Unfinished, match="minutes of this start are over"):
        budget.grant(20.0)


def test_only_a_part_that_had_its_own_time_is_timed_out() -> None:
    """One that the start's end cut short is measured by the next start."""
    asked: list[float] = []
    part = Part("device", {}, 10.0, lambda seconds: (asked.append(seconds), {"status": "timed out"})[1])
    assert part.within(Budget(10.0))["status"] == "timed out"
    assert part.within(Budget(10.0), slack=2.0) and asked == [10.0, 20.0]
    short = Budget(1.0, 0.0, clock(*[60.0 - RESERVE - 6.0] * 2))
    with pytest.raises(Unfinished):
        part.within(short)
    assert asked[2] == pytest.approx(6.0)


def test_an_error_of_the_benchmark_itself_costs_one_row() -> None:
    def wrong(seconds: float) -> Row:
        raise LookupError("no such thing")

    found = Part("device", {"device": "cpu"}, 10.0, wrong).within(Budget(10.0))
    assert found["status"] == "failed" and "no such thing" in found["detail"]
    assert found.keys() | {"device"} == DEVICE.keys()
