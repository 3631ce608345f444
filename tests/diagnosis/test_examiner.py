"""The examiner: a finished log and a live run are one examination."""

from __future__ import annotations

import pytest

from benchmarks.diagnosis_simulated import simulated_rows
from tvo_cli.diagnosis.examiner import Examiner
from tvo_cli.diagnosis.training_log import REFUSED, Row, RunFacts

FACTS = RunFacts(planned=60, prompts=16, samples=8)


def healthy() -> list[Row]:
    return [*simulated_rows("learns", 60, 1)]


def lost() -> list[Row]:
    return [{**row, "accuracy/fresh": 0.02, "reward/mean": 0.02} if row["step"] > 30 else row for row in healthy()]


def refused() -> list[Row]:
    return [{**row, REFUSED: float(max(row["step"] - 20, 0) // 2)} for row in lost()]


def late_columns() -> list[Row]:
    return [{**row, "policy/tv": 0.3, "loss/policy": float("nan")} if row["step"] > 40 else row for row in healthy()]


@pytest.mark.parametrize("rows", [healthy(), lost(), refused(), late_columns()])
def test_a_finished_log_is_examined_as_a_live_one(rows: list[Row]) -> None:
    live, afterwards = Examiner(FACTS), Examiner(FACTS)
    for row in rows:
        live.observe(row)
    afterwards.observe_all(rows)
    assert live.findings() == afterwards.findings() and live.counting() == afterwards.counting()
    assert live.not_examined() == afterwards.not_examined()


def test_the_cases_find_something() -> None:
    found = Examiner(FACTS)
    found.observe_all(late_columns())
    assert {"policy_drift", "nonfinite"} <= {one.failure for one in found.findings()}
