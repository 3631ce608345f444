"""A log comes back from the repository as it was kept, and is not made again; a set keeps what the rules read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.diagnosis.faults import FAULTS
from benchmarks.diagnosis.kept import COLUMNS, KEPT, columns, keep_runs, kept_log, kept_runs
from benchmarks.diagnosis.logs import LabelledLog
from benchmarks.diagnosis.runs import FaultRun, runs
from benchmarks.diagnosis.sets import BY_NAME, SETS
from benchmarks.diagnosis.simulated import simulated_rows
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import RunFacts

RUN = FaultRun(FAULTS[0], "grpo addition", 3)
ROOT = Path(__file__).parents[2]


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


def test_a_set_of_runs_comes_back_with_its_labels_and_the_columns_that_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "second_edition" / "1002" / "grpo+lr-0.001"
    folder.mkdir(parents=True)
    settings = {"seed": 1002, "algorithm": {"name": "grpo"}, "optimizer": {"clip_norm": 1.0}}
    settings |= {"rollout": {"prompts": 16, "samples": 8, "max_tokens": 20}}
    rows: list[dict[str, Any]] = [{"step": at, "accuracy/fresh": 0.1 * at, "time/update": 1.0} for at in range(1, 6)]
    rows = [{"step": 0, "eval/pass@1": 0.1}, *rows, {"step": 5, "eval/pass@1": 0.5123456}]
    (folder / "config.yaml").write_text(json.dumps(settings))
    (folder / "summary.json").write_text("{}")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert keep_runs(BY_NAME["arithmetic-1002"], tmp_path, tmp_path) == 1
    assert keep_runs(BY_NAME["momentum"], tmp_path, tmp_path) == 0 and not (tmp_path / "momentum.json.gz").exists()
    (log,) = kept_runs("arithmetic-1002", tmp_path)
    assert (log.end, log.seed, log.clip_norm, log.prompts) == ("healthy", 1002, 1.0, 16)
    assert log.rows[0] == {"step": 0, "eval/pass@1": 0.1}
    assert log.rows[-1] == {"step": 5, "accuracy/fresh": 0.5, "eval/pass@1": 0.5123456}


class Watched(dict[str, float]):
    """A row that keeps which names it was asked for."""

    def __init__(self, row: dict[str, float], asked: set[str]) -> None:
        super().__init__(row)
        self.asked = asked

    def __getitem__(self, name: str) -> float:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_every_column_that_a_rule_asks_for_is_kept(failure: Failure) -> None:
    """But those of a rule that reads whatever is there, which is asked for each name of the row."""
    facts = RunFacts(planned=50, prompts=16, samples=8, settings={"optimizer.clip_norm": 1.0})
    known = {"thermo/viscosity": 0.5, "thermo/set_point": 0.1, "policy/tv": 0.1, "gradient/noise_scale": 3.0}
    known |= {"neutral/entropy": 2.0}
    for rule in failure.rules(facts):
        asked = set[str]()
        for row in simulated_rows("form first", 50, 1):
            rule.breach(Watched(row | known, asked))
        assert {name for name in asked if "/" in name} <= COLUMNS, "READ of kept.py lacks it"


def test_a_log_is_kept_by_columns() -> None:
    """A share of counts whole, for 15/128 is a tie with other batches; five digits of a reading."""
    found = columns([{"step": 1, "accuracy/fresh": 15 / 128, "policy/tv": 0.1234567, "time/update": 2.0}, {"step": 2}])
    assert found == {"step": [1, 2], "accuracy/fresh": [0.1171875, None], "policy/tv": [0.12346, None]}


def test_the_logs_of_every_set_and_of_every_fault_are_in_the_repository() -> None:
    assert len({one.name for one in SETS}) == len(SETS)
    kept = ROOT / KEPT
    assert {file.name.removesuffix(".json.gz") for file in (kept / "runs").iterdir()} == set(BY_NAME)
    names = {
        f"{run.fault.name}-{run.algorithm.replace(' ', '_')}-s{run.seed}.json.gz" for run in runs(tuple(range(10)))
    }
    assert {file.name for file in (kept / "faults").iterdir()} == names


def test_a_set_of_one_seed_has_that_seed_alone() -> None:
    logs = kept_runs("arithmetic-1000", ROOT / KEPT / "runs")
    assert {log.seed for log in logs} == {1000} and len({log.id for log in logs}) == len(logs) == 72
    assert {log.clip_norm for log in logs} == {1.0} and all(log.rows[0]["step"] == 0 for log in logs)
    assert {log.case for log in logs} == {"healthy", "collapsed"}
