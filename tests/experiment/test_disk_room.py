"""Room for a run's checkpoints is asked for before its first step."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.training.conftest import SMALL, composed
from tvo_cli import config, experiment
from tvo_cli.checkpoint.disk_size import DiskSize
from tvo_cli.errors import UserError
from tvo_cli.experiment import disk_room

MB = 1_000_000
RUN: Any = SimpleNamespace()


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 30 to 50 MB, 40 MB free."""
    monkeypatch.setattr(disk_room, "disk_of_run", lambda *found: DiskSize(35 * MB, 50 * MB, 30 * MB))
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=40 * MB))


def of_at_least(megabytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    size = DiskSize(35 * MB, 50 * MB, megabytes * MB)
    monkeypatch.setattr(disk_room, "disk_of_run", lambda *found: size)


def test_a_disk_that_may_become_full_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        disk_room.check_disk_room(composed(("algorithm=grpo",)), RUN, tmp_path / "run")
    assert f"the run may take up to 50.0 MB of disk; 40.0 MB are free in {tmp_path}. Take" in caplog.text


def test_what_the_run_holds_already_is_not_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_at_least(41, monkeypatch)
    (tmp_path / "checkpoints").mkdir()
    with (tmp_path / "checkpoints" / "model").open("wb") as file:
        file.truncate(10 * MB)
    disk_room.check_disk_room(composed(("algorithm=grpo",)), RUN, tmp_path)
    assert not of_tvo(caplog)


def of_tvo(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the product has said; Hydra logs for itself where a config is the first that a process composes."""
    return [one.getMessage() for one in caplog.records if one.name.startswith("tvo")]


def with_checkpoint(folder: Path, step: int, megabytes: int) -> None:
    place = folder / "checkpoints" / f"step-{step:06d}"
    place.mkdir(parents=True)
    with (place / "model").open("wb") as file:
        file.truncate(megabytes * MB)


def test_a_run_that_has_all_its_batches_asks_for_no_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tvo prune` has left one checkpoint of its policy, and the disk has filled since."""
    of_at_least(61, monkeypatch)
    with_checkpoint(tmp_path, 4, megabytes=10)
    disk_room.check_disk_room(composed(("trainer.steps=4",)), RUN, tmp_path)
    assert not of_tvo(caplog)
    with pytest.raises(UserError, match=r"checkpoints take 51\.0 MB"):
        disk_room.check_disk_room(composed(("trainer.steps=5",)), RUN, tmp_path)


def test_what_is_set_aside_makes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_at_least(41, monkeypatch)
    with_checkpoint(tmp_path, 4, megabytes=10)
    with pytest.raises(UserError, match=r"checkpoints take 41\.0 MB"):
        disk_room.check_disk_room(composed(("trainer.steps=4", "resume=never")), RUN, tmp_path)


def test_recorded_steps_make_no_room_for_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_at_least(41, monkeypatch)
    (tmp_path / "recorder").mkdir()
    with (tmp_path / "recorder" / "model").open("wb") as file:
        file.truncate(10 * MB)
    with pytest.raises(UserError, match=r"checkpoints take 41\.0 MB"):
        disk_room.check_disk_room(composed(("trainer.steps=4",)), RUN, tmp_path)


def test_a_run_that_cannot_find_room_is_refused_before_its_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_at_least(41, monkeypatch)
    chosen = config.compose([*SMALL, "algorithm=grpo", f"output_dir={tmp_path / 'run'}"])
    with pytest.raises(UserError, match=r"checkpoints take 41\.0 MB of disk; 40\.0 MB are free in .* Take trainer"):
        experiment.train(chosen)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
