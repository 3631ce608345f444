"""`tvo train --dry-run` says what a sweep takes of the disk, and refuses what does not fit."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from tvo_cli.cli.main import main

SWEEP = ["train", "--dry-run", "-m", "algorithm=grpo", "seed=1,2,3"]


def test_a_sweep_says_its_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SWEEP) == 0
    assert "All jobs take up to 17.9 MB of disk; " in capsys.readouterr().out


def test_a_sweep_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1e6))
    assert main(SWEEP) == 2
    told = capsys.readouterr().err
    assert "3 jobs take up to 17.9 MB of disk; 1.0 MB are free" in told and "trainer.save_policy_only=true" in told
