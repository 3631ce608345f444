"""`tvo train --dry-run` says what a sweep takes of the disk, and refuses what does not fit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tvo_cli.checkpoint.disk_size import DiskSize
from tvo_cli.cli.main import main
from tvo_cli.sweep.disk_of_jobs import HeldDisk, disk_of_jobs, disk_to_come

SWEEP = ["train", "--dry-run", "-m", "algorithm=grpo", "seed=1,2,3", "hydra.launcher.n_jobs=1"]


def test_jobs_side_by_side_are_each_at_their_largest() -> None:
    disks = [DiskSize(finished=10, at_most=10 + more) for more in (5, 9, 7)]
    assert [disk_of_jobs(disks, count) for count in (1, 2, 3, 9)] == [39, 46, 51, 51]


@pytest.mark.parametrize(
    ("held", "finished", "to_come"), [(0, False, (10, 15)), (4, False, (6, 11)), (12, False, (0, 3)), (9, True, (0, 0))]
)
def test_a_job_takes_no_more_for_what_it_holds(held: int, finished: bool, to_come: tuple[int, int]) -> None:
    assert disk_to_come(DiskSize(10, 15), HeldDisk(held, finished)) == DiskSize(*to_come)


@pytest.mark.slow
def test_finished_jobs_of_a_sweep_take_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder that only the command's settings name, and then under settings by which every job runs anew."""
    monkeypatch.chdir(tmp_path)
    small = ["algorithm=grpo", "trainer.steps=1", "evaluation=off", "logger=none", "rollout.prompts=2"]
    swept = ["-m", *small, "trainer.threads=1"]
    start = [sys.executable, "-m", "tvo_cli", "train", *swept, "seed=1,2"]
    subprocess.run(start, check=True, capture_output=True)
    assert main(["train", "--dry-run", *swept, "seed=1,2,3", "hydra/launcher=process"]) == 0
    told = re.search(r"beside (\S+ MB) that they hold \(2 finished\), up to (\S+) MB of disk", capsys.readouterr().out)
    assert main(["train", "--dry-run", *small, "seed=3"]) == 0
    assert told is not None and 5.0 < float(told[2]) < 7.0, "one job of three"
    assert main(["train", "--dry-run", *swept, "seed=1,2,3", "trainer.steps=2"]) == 0
    assert "that they hold" not in capsys.readouterr().out


def test_a_finished_run_that_was_pruned_takes_no_more_and_one_that_begins_anew_takes_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three megabytes are free: too few for the checkpoints of such a run."""
    (tmp_path / "checkpoints" / "step-000004").mkdir(parents=True)
    (tmp_path / "checkpoints" / "step-000004" / "policy").write_bytes(b"x" * 1000)
    (tmp_path / "checkpoints" / "experiment.json").write_text("{}")
    monkeypatch.setattr("tvo_cli.cli.dry_run.check_folder_of_dry_run", lambda *found: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=3e6))
    words = ["train", "--dry-run", "algorithm=grpo", f"output_dir={tmp_path}"]
    assert main([*words, "trainer.steps=4"]) == 0
    assert main([*words, "trainer.steps=4", "resume=never"]) == 2
    assert "the run takes up to 6.4 MB of disk; 3.0 MB are free" in capsys.readouterr().err
    assert main([*words, "trainer.steps=5"]) == 2


def test_finished_jobs_that_begin_anew_are_counted_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def finished(folder: Path, jobs: list[list[str]], fingerprint: object) -> list[HeldDisk]:
        asked.append(len(jobs))
        return [HeldDisk(7_000_000, finished=True) for _ in jobs]

    monkeypatch.setattr("tvo_cli.sweep.disk_of_jobs.disk_held_by_jobs", finished)
    assert main(SWEEP) == main([*SWEEP, "resume=never"]) == main([*SWEEP, "resume=auto,never"]) == 0
    told = re.findall(r"All jobs take(.*) up to (.*) of disk", capsys.readouterr().out)
    assert asked == [3, 3, 6]
    assert [size for _, size in told] == ["0 bytes", "19.1 MB", "19.1 MB"]
    assert ["finished" in beside for beside, _ in told] == [True, False, True]


def test_the_dry_run_asks_how_many_jobs_run_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP[:-1], "hydra.launcher.n_jobs=3"]) == 0
    assert "All jobs take up to 26.8 MB of disk; " in capsys.readouterr().out


def test_a_sweep_says_its_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SWEEP) == 0
    assert "All jobs take up to 19.1 MB of disk; " in capsys.readouterr().out


def test_a_sweep_that_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1e6))
    assert main(SWEEP) == 2
    sizes, told = capsys.readouterr()
    assert "rollouts a batch" in sizes and "seed: 1" not in sizes, "the plan may be for another machine"
    assert "3 jobs take up to 19.1 MB of disk; 1.0 MB are free" in told and "trainer.save_policy_only=true" in told
