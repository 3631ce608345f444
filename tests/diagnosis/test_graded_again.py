"""Verdicts of kept responses, given again: turned ones are named, whatever the curves look like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.diagnosis.logs import log_of
from tvo_cli.diagnosis.diagnosis import Diagnosis, diagnose
from tvo_cli.diagnosis.finding import Finding

SETTINGS = {"reward.profile": "math", "dataset.kind": "arithmetic"}
ROWS = 40


def row(at: int, *, turned: bool) -> dict[str, Any]:
    """A response, every second one right; `turned`: with the other verdict."""
    right = at % 2 == 0
    said = {"gold": "3", "completion": f"so it is \\boxed{{{3 if right else 5}}}", "correct": right != turned}
    return {"id": str(at), "question": "1 + 2 =", **said, "reason": "equal", "reward": float(right), "tokens": 9}


def diagnosed_run(folder: Path, turned: dict[int, int], **settings: Any) -> Diagnosis:
    """The diagnosis of a run whose steps have so many turned verdicts: of a task half solved, which shows nothing."""
    (folder / "responses").mkdir(parents=True)
    for step, count in turned.items():
        rows = [row(at, turned=at < count) for at in range(ROWS)]
        file = folder / "responses" / f"step-{step:06d}.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return diagnose(log_of({"accuracy/fresh": [0.5] * 30}, folder=folder, settings=SETTINGS | settings))


def wrong_verdicts(diagnosis: Diagnosis) -> Finding | None:
    return next((one for one in diagnosis.findings if one.failure == "wrong_verdicts"), None)


def test_a_tenth_of_the_verdicts_is_found_where_accuracy_shows_nothing(tmp_path: Path) -> None:
    diagnosis = diagnosed_run(tmp_path, {1: 0, 10: 4, 20: 4, 30: 4})
    found = wrong_verdicts(diagnosis)
    assert found is not None and (found.severity, found.first_step, found.active) == ("warning", 10, True)
    assert found.evidence["value"] == pytest.approx(0.1) and "12 of 120 responses from step 10 on" in found.message
    assert diagnosis.verdict == "warning" and any("sed -n" in one.command for one in found.remedies)


@pytest.mark.parametrize(
    ("turned", "severity"),
    [({10: 1}, None), ({10: 0}, None), ({10: 2}, "warning"), ({10: 10}, "warning"), ({10: 20}, "critical")],
)
def test_one_row_is_no_finding_and_surely_a_quarter_is_critical(
    tmp_path: Path, turned: dict[int, int], severity: str | None
) -> None:
    found = wrong_verdicts(diagnosed_run(tmp_path, turned))
    assert (found and found.severity) == severity


@pytest.mark.parametrize(
    "settings",
    [{"reward.scorer": "judge.py:right"}, {"dataset.scorer": "judge.py:right"}, {"dataset.kind": "reasoning_gym"}],
)
def test_verdicts_by_other_rules_are_left_alone(tmp_path: Path, settings: dict[str, str]) -> None:
    assert wrong_verdicts(diagnosed_run(tmp_path, {10: 20}, **settings)) is None


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "run" / "responses").mkdir(parents=True)
    (tmp_path / "run" / "responses" / "step-000010.jsonl").write_text('{"gold": "3"}\n[1]\n{"gold": "3", "compl')
    assert (
        wrong_verdicts(diagnose(log_of({"reward/mean": [0.5] * 9}, folder=tmp_path / "run", settings=SETTINGS))) is None
    )
