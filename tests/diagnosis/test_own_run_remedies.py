"""What a run folder offers to a finding: a policy to go on from, responses to read, a step to live again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tvo_cli.diagnosis.finding import Finding
from tvo_cli.diagnosis.own_run_remedies import remedies_in_folder


def finding(failure: str) -> Finding:
    return Finding(failure, "critical", 12, 14, 20, True, "accuracy/fresh", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with checkpoints at 5, 10 and 15, a recorded step 13, and four responses to two problems."""
    for step in (5, 10, 15):
        (tmp_path / f"checkpoints/step-{step:06d}/policy").mkdir(parents=True)
    (tmp_path / "recorder/step-000013").mkdir(parents=True)
    (tmp_path / "responses").mkdir()
    rows = [("a", 0.0, 9), ("a", 1.0, 5), ("b", 0.0, 30), ("b", 0.0, 7)]
    lines = [json.dumps({"id": name, "reward": reward, "tokens": tokens}) for name, reward, tokens in rows]
    (tmp_path / "responses/step-000014.jsonl").write_text("\n".join([*lines, "torn {"]))
    (tmp_path / "responses/step-000003.jsonl").write_text(lines[0])
    return tmp_path


@pytest.mark.parametrize(
    ("failure", "rows"),
    [("accuracy_collapse", "1p;3p"), ("reward_hacking", "2p;3p"), ("length_bought", "3p;1p")],
)
def test_the_last_policy_before_it_the_telling_responses_and_the_recorded_step(
    folder: Path, failure: str, rows: str
) -> None:
    policy, responses, replay = remedies_in_folder(folder, finding(failure))
    assert policy.overrides == (f"model.path={folder}/checkpoints/step-000010/policy",)
    assert responses.command == f"sed -n '{rows}' {folder}/responses/step-000014.jsonl"
    assert replay.command == f"tvo replay {folder} --step 13"


def test_a_step_that_was_not_recorded_is_asked_for(tmp_path: Path) -> None:
    (only,) = remedies_in_folder(tmp_path, finding("plateau"))
    assert only.overrides == ("recorder.steps=[12]",)
