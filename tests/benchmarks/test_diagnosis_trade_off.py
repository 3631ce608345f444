"""The quick alarm beside our rules: when it is given, and what is counted."""

from __future__ import annotations

import math

from benchmarks.diagnosis_logs import LabelledLog
from benchmarks.diagnosis_tools import Said
from benchmarks.diagnosis_trade_off import point, quick_alarms, table


def log_of(case: str, kl: list[float], onset: int | None = None) -> LabelledLog:
    rows = [{"step": step, "policy/kl_ref": value} for step, value in enumerate(kl, start=1)]
    return LabelledLog("runs", case, "grpo", 0, onset, case, rows)


def test_the_quick_alarm_is_given_at_the_first_fast_step() -> None:
    assert quick_alarms(log_of("healthy", [0.0, 0.0, 0.5, 0.5, 0.5, 0.5]), 0.12) == [3, 4, 5]
    assert quick_alarms(log_of("healthy", [0.0, 0.1, 0.2, 0.3]), 0.12) == []


def test_false_alarms_and_delays_are_of_both_together() -> None:
    logs = [log_of("healthy", [0.0] * 6), log_of("collapsed", [0.0, 0.0, 0.0, 1.0, 2.0, 3.0], onset=3)]
    said = [Said([], None), Said([("accuracy_collapse", "critical")], 6)]
    alone, beside = point(logs, said, math.inf), point(logs, said, 0.12)
    assert (alone.alarmed, alone.delays) == ([False], [3]) and beside.delays == [1]
    assert "| none | 0/1" in table([alone])
