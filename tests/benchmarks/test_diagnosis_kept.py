"""A log of a run with a fault comes back from the repository as it was kept, and is not made again."""

from __future__ import annotations

import math
from pathlib import Path

from benchmarks.diagnosis_faults import FAULTS
from benchmarks.diagnosis_kept import kept_log
from benchmarks.diagnosis_logs import LabelledLog
from benchmarks.diagnosis_runs import FaultRun

RUN = FaultRun(FAULTS[0], "grpo addition", 3)


def test_a_log_is_made_once(tmp_path: Path) -> None:
    rows = [{"step": 1, "loss/policy": math.nan, "accuracy/fresh": 0.1234567}]
    log = LabelledLog("faults", "accepts_all", "grpo addition", 3, 13, "healthy", rows, config={"num_generations": 8})
    calls: list[FaultRun] = []

    def make(run: FaultRun) -> LabelledLog:
        calls.append(run)
        return log

    assert kept_log(RUN, tmp_path, make) is log
    again = kept_log(RUN, tmp_path, make)
    assert calls == [RUN] and (again.id, again.onset, again.samples) == (log.id, 13, 8)
    assert again.rows[0]["accuracy/fresh"] == 0.12346 and math.isnan(again.rows[0]["loss/policy"])
