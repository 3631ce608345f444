"""metrics.jsonl is the truth: nothing is rounded, nothing is torn, nothing is done twice."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.tracking import metric_names, metrics_file
from tvo_cli.tracking.metrics_file import MetricsFile


def steps(path: Path) -> list[int]:
    return [row["step"] for row in metrics_file.read_metrics(path)]


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def test_floats_read_back_to_the_last_bit(tmp_path: Path) -> None:
    values = {"a": 0.1 + 0.2, "b": 5e-324, "c": -0.0, "d": 1.7976931348623157e308, "e": 1 / 3, "f": 12345678901234.567}
    file = MetricsFile(tmp_path / "m.jsonl")
    file.append(1, values)
    [row] = metrics_file.read_metrics(tmp_path / "m.jsonl")
    assert {name: bits(row[name]) for name in values} == {name: bits(value) for name, value in values.items()}


def test_what_is_not_finite_stays_strict_json_and_reads_back(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "m.jsonl").append(1, {"a": math.nan, "b": math.inf, "c": -math.inf})
    text = (tmp_path / "m.jsonl").read_text()

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(text, parse_constant=refuse) == {"step": 1, "a": "nan", "b": "inf", "c": "-inf"}
    [row] = metrics_file.read_metrics(tmp_path / "m.jsonl")
    assert math.isnan(row["a"]) and row["b"] == math.inf and row["c"] == -math.inf


def test_a_row_is_on_disk_before_the_next_step(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "m.jsonl")
    for step in (1, 2):
        file.append(step, {"a": 1.0})
        assert steps(tmp_path / "m.jsonl") == list(range(1, step + 1))


@pytest.mark.parametrize("torn", ['{"step": 3, "a": 1', '{"step": 3, "a": 1}', "{\n", "\x00\x00\n"])
def test_a_torn_last_line_is_removed_and_said(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "m.jsonl"
    whole = '{"step": 1, "a": 1.0}\n{"step": 2, "a": 2.0}\n'
    path.write_text(whole + torn)
    assert steps(path) == [1, 2]
    said: list[str] = []
    file = MetricsFile(path, said.append)
    assert path.read_text() == whole and len(said) == 1 and "torn" in said[0]
    file.append(3, {"a": 3.0})
    assert steps(path) == [1, 2, 3]


def test_a_broken_line_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"step": 1}\nbroken\n{"step": 2}\n')
    with pytest.raises(UserError, match="line 2"):
        metrics_file.read_metrics(tmp_path / "m.jsonl")


def test_truncation_keeps_what_was_done_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    file = MetricsFile(path)
    for step in range(5):
        file.append(step, {"reward/mean": step / 3})
    before = path.read_text().splitlines()[:3]
    assert file.truncate_after(2) == 2 and file.truncate_after(2) == 0
    assert path.read_text().splitlines() == before
    file.append(3, {"reward/mean": 9.0})
    assert steps(path) == [0, 1, 2, 3]


def test_steps_and_evaluations_are_forgotten_apart(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    file = MetricsFile(path)
    for step in (0, 1, 2):
        file.append(step, {"reward/mean": 1.0})
        file.append(step, {"eval/pass@1": 0.5})
    assert file.forget_from(1, evaluations=False) == 2
    rows = metrics_file.read_metrics(path)
    assert [(row["step"], "eval/pass@1" in row) for row in rows] == [(0, False), (0, True), (1, True), (2, True)]


def test_names_are_said_once_with_unit_and_meaning() -> None:
    found = [metric.name for metric in metric_names.METRICS]
    assert len(found) == len(set(found))
    assert all(metric.unit and metric.meaning for metric in metric_names.METRICS)


STAY = (
    *("reward/mean", "accuracy/fresh", "gradient/variance", "gradient/noise_scale", "gradient/norm", "policy/tv"),
    *("policy/entropy", "policy/kl_ref", "policy/mismatch", "group/zero_advantage", "response/length"),
    *("thermo/free_energy", "thermo/viscosity", "thermo/temperature", "eval/pass@1", "loss/any", "eval/pass@16"),
)


@pytest.mark.parametrize("name", STAY)
def test_the_names_that_stay_are_known(name: str) -> None:
    assert metric_names.is_known_metric(name)


def test_other_names_are_not_known() -> None:
    assert not any(map(metric_names.is_known_metric, ("reward", "rewards/mean", "eval/pass@", "eval/pass@k", "")))
