"""`tvo train --dry-run` says what a sweep takes of the disk, and refuses what does not fit."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from tvo_cli.checkpoint.disk_size import DiskSize
from tvo_cli.cli.disk_check import disk_of_jobs
from tvo_cli.cli.main import main

SWEEP = ["train", "--dry-run", "-m", "algorithm=grpo", "seed=1,2,3", "hydra.launcher.n_jobs=1"]


def test_jobs_side_by_side_are_each_at_their_largest() -> None:
    disks = [DiskSize(finished=10, at_most=10 + more) for more in (5, 9, 7)]
    assert [disk_of_jobs(disks, count) for count in (1, 2, 3, 9)] == [39, 46, 51, 51]


def test_the_dry_run_asks_how_many_jobs_run_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP[:-1], "hydra.launcher.n_jobs=3"]) == 0
    assert "All jobs take up to 23.0 MB of disk; " in capsys.readouterr().out


def test_a_sweep_says_its_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SWEEP) == 0
    assert "All jobs take up to 17.9 MB of disk; " in capsys.readouterr().out


def test_a_sweep_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1e6))
    assert main(SWEEP) == 2
    sizes, told = capsys.readouterr()
    assert "rollouts a batch" in sizes and "seed: 1" not in sizes, "the plan may be for another machine"
    assert "3 jobs take up to 17.9 MB of disk; 1.0 MB are free" in told and "trainer.save_policy_only=true" in told
