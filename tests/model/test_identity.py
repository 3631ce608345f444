"""Which weights a path means, and whether they have changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.model.identity import digest, weights_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name in ("step-000010", "step-000020", "step-000030"):
        policy = tmp_path / "run" / "checkpoints" / name / "policy"
        policy.mkdir(parents=True)
        (policy / "config.json").write_text("{}")
    (tmp_path / "run" / "summary.json").write_text(json.dumps({"best_step": 20}))
    return tmp_path / "run"


def test_a_run_folder_means_its_last_best_or_a_named_checkpoint(run):
    root = run / "checkpoints"
    assert weights_of(str(run)) == str(root / "step-000030" / "policy")
    assert weights_of(str(run), "best") == str(root / "step-000020" / "policy")
    assert weights_of(str(run), "step-000010") == str(root / "step-000010" / "policy")
    assert weights_of(str(root / "step-000010")) == str(root / "step-000010" / "policy"), "a checkpoint itself"
    assert weights_of("OWNER/NAME") == "OWNER/NAME"


def test_a_missing_checkpoint_is_said_with_those_that_are_there(run):
    with pytest.raises(UserError, match=r"checkpoint=step-5: .* There are: step-000010, step-000020, step-000030"):
        weights_of(str(run), "step-5")


def test_the_digest_changes_with_the_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"x" * 100)
    before = digest(str(tmp_path))
    assert digest(str(tmp_path)) == before
    (tmp_path / "model.safetensors").write_bytes(b"x" * 99 + b"y")
    assert digest(str(tmp_path)) != before
    assert digest("OWNER/NAME") == ""
