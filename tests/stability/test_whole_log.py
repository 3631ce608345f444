"""A finished log by its columns: what is finite in them, and bounds of values and of their means."""

from __future__ import annotations

import math

from tvo_cli.stability.whole_log import WholeLog

NAN = math.nan
ROWS = [{"step": 1, "a": 0.3, "b": NAN}, {"step": 2, "a": math.inf}, {"step": 3, "a": 0.1, "b": 2.0}]


def test_columns_have_the_finite_values_in_order() -> None:
    log = WholeLog(ROWS)
    assert log.column("a") == [0.3, 0.1] and log.column("b") == [2.0] and log.column("c") == []
    assert log.names == {"step", "a", "b"}
    assert log.reading(lambda row: row["step"] if "b" in row else None) == [1, 3]


def test_a_bound_that_a_mean_may_pass_by_rounding_is_none() -> None:
    log = WholeLog([{"step": step, "x": 0.1} for step in range(10)])
    assert not log.never_above("x", 0.1) and log.never_above("x", 0.100001)
    assert not log.never_below("x", 0.1) and log.never_below("x", 0.099999)
    assert log.never_above("absent", -1.0) and log.never_below("absent", 1.0)


def test_a_bound_below_zero_is_strict_too() -> None:
    log = WholeLog([{"step": 1, "x": -2.0}])
    assert not log.never_above("x", -2.0) and log.never_above("x", -1.9)
    assert not log.never_below("x", -2.0) and log.never_below("x", -2.1)
