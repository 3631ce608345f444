"""The quick alarm beside our rules: when it is given, and what is counted."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.diagnosis.logs import LabelledLog
from benchmarks.diagnosis.tools import Said
from benchmarks.diagnosis.trade_off import FIELDS, points, quick_alarms, table
from benchmarks.harness.record import Row


def log_of(case: str, kl: list[float], onset: int | None = None) -> LabelledLog:
    rows = [{"step": step, "policy/kl_ref": value} for step, value in enumerate(kl, start=1)]
    return LabelledLog("runs", case, "grpo", 0, onset, case, rows)


def test_the_quick_alarm_is_given_at_the_first_fast_step() -> None:
    assert quick_alarms(log_of("healthy", [0.0, 0.0, 0.5, 0.5, 0.5, 0.5]), 0.12) == [3, 4, 5]
    assert quick_alarms(log_of("healthy", [0.0, 0.1, 0.2, 0.3]), 0.12) == []


def test_false_alarms_and_delays_are_of_both_together() -> None:
    logs = [log_of("healthy", [0.0] * 6), log_of("healthy", [0.0, 0.1, 0.2, 0.3, 0.4])]
    logs += [log_of("collapsed", [0.0, 0.0, 0.0, 1.0, 2.0, 3.0], onset=3), log_of("collapsed", [0.0] * 6, onset=3)]
    said = [Said([], None), Said([], None), Said([("accuracy_collapse", "critical")], 6), Said([], None)]
    found = {one["limit"]: one for one in points(list(zip(logs, said)), "long")}
    assert found[None] == {"standing": "even", "limit": None, "healthy": 2, "alarmed": 0, "delays": [3, None]}
    assert found[0.12] == {"standing": "even", "limit": 0.12, "healthy": 2, "alarmed": 0, "delays": [1, None]}
    assert found[0.06]["alarmed"] == 1 and found[0.06].keys() | {"group"} == set(FIELDS)


def test_what_was_read_and_what_is_from_outside_stand_apart() -> None:
    row: Row = {"limit": None, "healthy": 10, "alarmed": 1, "delays": [3, None, 1]}
    rows = [row | {"standing": one} for one in ("read", "even", "odd")] + [row | {"standing": "outside", "delays": []}]
    line = "| none: our rules | 2/20 = 10.0% | 3 (6 runs) | 2/20 = 10.0% | 3 (3 runs) |"
    assert table(rows).splitlines()[-1] == line


def test_the_runs_of_a_set_stand_apart_by_the_half_of_their_seed() -> None:
    logs = [(replace(log_of("healthy", [0.0] * 4), seed=seed), Said([], None)) for seed in (100, 101, 1003)]
    found = [(one["standing"], one["healthy"]) for one in points(logs, "addition") if one["limit"] is None]
    assert found == [("even", 1), ("odd", 2)]
