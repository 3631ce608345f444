"""rldoctor on logs with TRL's columns, or its own simulated runs; one JSON line. Run by an interpreter that has it.

Its diagnosis of the whole log is what it says of a run. When it says so first is found by diagnosing the log as it
stood after each step, which favours it: its own live monitor begins at step 60 and looks every 25 steps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rl_doctor import diagnose
from rl_doctor.detectors.base import Severity
from rl_doctor.ingest.base import run_from_records
from rl_doctor.simulate import EXPECTED_DETECTIONS, simulate


def problems(rows: list[dict[str, Any]], config: dict[str, Any]) -> list[list[str]]:
    """Its findings of severity warning or worse, in its own order: worst first."""
    found = diagnose(run_from_records(rows, config=config)).problems
    return [[one.detector, one.severity.name.lower()] for one in found if one.severity >= Severity.WARNING]


def first_alarm(rows: list[dict[str, Any]], config: dict[str, Any], onset: int, every: int) -> int | None:
    """The first step from the onset on after which the log so far has a finding."""
    for end in range(1, len(rows) + 1):
        due = rows[end - 1]["step"] >= onset and (end % every == 0 or end == len(rows))
        if due and problems(rows[:end], config):
            return int(rows[end - 1]["step"])
    return None


def examined(log: dict[str, Any]) -> dict[str, Any]:
    """What it says of a log, and when first."""
    rows, config = log["rows"], log["config"]
    found = problems(rows, config)
    wanted = found and log["onset"] is not None
    alarm = first_alarm(rows, config, log["onset"], log["every"]) if wanted else None
    return {"id": log["id"], "found": found, "alarm": alarm}


def main() -> None:
    """`logs FILE`: examine each line of the file. `simulate SEED …`: its twelve scenarios as such lines."""
    what, *words = sys.argv[1:]
    if what == "logs":
        lines = Path(words[0]).read_text(encoding="utf-8").splitlines()
        print(json.dumps({"logs": [examined(json.loads(line)) for line in lines]}))
        return
    made = []
    for seed in map(int, words):
        for scenario in EXPECTED_DETECTIONS:
            rows, config = simulate(scenario, seed=seed)
            made.append({"scenario": scenario, "seed": seed, "rows": rows, "config": config})
    print(json.dumps({"logs": made}))


if __name__ == "__main__":
    main()
