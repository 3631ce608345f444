"""A monitor in somebody's own loop says what `tvo diagnose` says of the finished log, as soon as it begins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from tvo_cli.diagnosis.diagnosis import diagnose
from tvo_cli.diagnosis.stability_monitor import StabilityMonitor
from tvo_cli.diagnosis.training_log import RunFacts, TrainingLog
from tvo_cli.errors import UserError

OURS_TO_TRL = {"reward/mean": "reward", "policy/entropy": "entropy", "gradient/norm": "grad_norm"}


def steps_of_a_run(fall_from: int = 31, steps: int = 60) -> list[dict[str, Any]]:
    """Under our names: reward rises and entropy holds, and both sink to nothing from a step on."""
    rows = []
    for step in range(1, steps + 1):
        left = 0.6 ** max(step - fall_from + 1, 0)
        rows.append({"reward/mean": (0.4 + 0.005 * step) * left, "policy/entropy": 0.6 * left, "gradient/norm": 1.0})
    return rows


def test_it_finds_what_the_diagnosis_of_the_log_finds_and_says_each_once() -> None:
    monitor, begun = StabilityMonitor(planned=60), []
    for step, metrics in enumerate(steps_of_a_run(), 1):
        begun += [(finding.failure, step, finding.alarm_step) for finding in monitor.log(step, metrics)]
    rows = tuple({**metrics, "step": step} for step, metrics in enumerate(steps_of_a_run(), 1))
    after = diagnose(TrainingLog(RunFacts(name="run", planned=60), rows))
    assert {finding.failure for finding in monitor.findings} == {finding.failure for finding in after.findings}
    assert monitor.diagnosis().findings == after.findings
    assert monitor.collapsed and begun
    assert all(step == alarm for _, step, alarm in begun)
    assert len(begun) == len({name for name, *_ in begun}) and min(step for _, step, _ in begun) > 30


def test_a_run_that_holds_is_left_alone() -> None:
    monitor = StabilityMonitor()
    assert not any(monitor.log(step, row) for step, row in enumerate(steps_of_a_run(fall_from=100), 1))
    assert not monitor.collapsed and not monitor.findings


@pytest.mark.parametrize("tool", ["trl", None])
def test_the_names_of_a_trainer_are_understood_or_found(tool: str | None) -> None:
    theirs, ours = StabilityMonitor(tool=tool), StabilityMonitor()
    for step, row in enumerate(steps_of_a_run(), 1):
        theirs.log(step, {OURS_TO_TRL[name]: value for name, value in row.items()} | {"completion_length": 5.0})
        ours.log(step, row)
    assert [one.failure for one in theirs.findings] == [one.failure for one in ours.findings] != []


def test_an_evaluation_between_two_steps_is_no_step_and_counts_to_the_next() -> None:
    monitor, plain = StabilityMonitor(), StabilityMonitor()
    for step, row in enumerate(steps_of_a_run(), 1):
        monitor.log(step, row)
        monitor.log(step, {"eval/pass@1": 0.4, "data/epoch": 1.0})
        plain.log(step, row)
    alarms = [[(one.failure, one.alarm_step) for one in of.findings] for of in (monitor, plain)]
    assert alarms[0] == alarms[1] != []
    assert "eval/pass@1" not in monitor.rows[0] and monitor.rows[1]["eval/pass@1"] == 0.4


def test_numbers_of_numpy_and_torch_count_and_arrays_do_not() -> None:
    monitor = StabilityMonitor()
    monitor.log(1, {"reward/mean": np.float32(0.5), "policy/entropy": torch.tensor(0.25), "policy/tv": np.zeros(3)})
    assert monitor.rows == [{"step": 1, "reward/mean": 0.5, "policy/entropy": 0.25}]


def test_a_reward_that_is_an_accuracy_by_its_name_is_one_and_a_held_out_score_is_known() -> None:
    monitor = StabilityMonitor()
    monitor.log(1, {"reward": 0.7, "kl": 0.1, "rewards/correctness/mean": 0.4, "rewards/format/mean": 0.9})
    monitor.log(1, {"eval/accuracy": 0.3})
    monitor.log(2, {"reward": 0.7, "kl": 0.1, "rewards/correctness/mean": 0.5, "rewards/format/mean": 0.9})
    assert [row["accuracy/fresh"] for row in monitor.rows] == [0.4, 0.5]
    assert monitor.rows[1]["eval/pass@1"] == 0.3


def test_what_is_no_number_is_passed_over_and_what_is_not_finite_is_seen() -> None:
    monitor = StabilityMonitor()
    monitor.log(1, {"reward/mean": 0.5, "note": "text", "policy/entropy": None, "flag": True})
    monitor.log(2, {"reward/mean": math.nan})
    assert monitor.rows[0] == {"step": 1, "reward/mean": 0.5}
    assert math.isnan(monitor.rows[1]["reward/mean"])


def test_a_step_that_comes_twice_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    monitor = StabilityMonitor()
    for step in (1, 2, 2):
        monitor.log(step, {"reward/mean": 0.5})
    assert len(monitor.rows) == 2
    assert "step 2 was logged after step 2" in caplog.text


def test_a_trainer_that_is_not_known_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^tool=trlx: not a choice\. Nearest: trl"):
        StabilityMonitor(tool="trlx")
