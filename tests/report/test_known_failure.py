"""The failure that a run folder is known to have: of its diagnosis, else of the live rules that fired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.report.known_failure import DIAGNOSIS_FILE, known_failure

FIRED = {"firings": [{"rule": "tv_ceiling", "severity": "warning"}, {"rule": "reward_drop", "severity": "collapse"}]}


@pytest.mark.parametrize(
    ("diagnosis", "collapse", "name"),
    [
        (None, {}, ""),
        (None, FIRED, "accuracy_collapse"),
        (None, {"firings": "torn"}, ""),
        ('{"verdict": "warning", "findings": [{"failure": "plateau"}]}', FIRED, "plateau"),
        ('{"verdict": "healthy", "findings": [{"failure": "gradient_spike"}]}', {}, ""),
        ("{torn", FIRED, "accuracy_collapse"),
    ],
)
def test_the_diagnosis_comes_before_the_rules(
    tmp_path: Path, diagnosis: str | None, collapse: dict[str, Any], name: str
) -> None:
    if diagnosis is not None:
        (tmp_path / DIAGNOSIS_FILE).write_text(diagnosis)
    assert known_failure(tmp_path, collapse) == name


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_a_run_that_goes_on_after_its_end_is_told_by_its_live_rules(tmp_path: Path, state: str) -> None:
    (tmp_path / DIAGNOSIS_FILE).write_text('{"verdict": "warning", "findings": [{"failure": "plateau"}]}')
    (tmp_path / "state.json").write_text(json.dumps({"state": "finished"}))
    assert known_failure(tmp_path, FIRED) == "plateau"
    (tmp_path / "state.json").write_text(json.dumps({"state": state}))
    assert known_failure(tmp_path, FIRED) == "accuracy_collapse"
