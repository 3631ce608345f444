"""A requeued Slurm job goes on in its folder at once: stand-ins for the environments of its starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.tracking import run_status
from tvo_cli.tracking.atomic_files import write_json_atomically
from tvo_cli.tracking.slurm_start import is_over_by_requeue, slurm_start

FIRST = {"SLURM_JOB_ID": "7", "SLURM_CLUSTER_NAME": "big"}
SECOND = {**FIRST, "SLURM_RESTART_COUNT": "1"}
THIRD = {**FIRST, "SLURM_RESTART_COUNT": "2"}


def test_the_start_of_a_job_is_its_id_its_cluster_and_how_often_it_was_started_before() -> None:
    assert slurm_start({}) == {}
    assert slurm_start(FIRST) == {"job": "7", "cluster": "big", "restarts": 0}
    assert slurm_start(THIRD)["restarts"] == 2
    assert slurm_start({"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "?"}) == {"job": "7", "cluster": "", "restarts": 0}


@pytest.mark.parametrize(
    ("told", "now", "over"),
    [
        (FIRST, SECOND, True),
        (FIRST, THIRD, True),
        (SECOND, THIRD, True),
        (FIRST, FIRST, False),  # another step of the same start
        (THIRD, SECOND, False),
        (FIRST, SECOND | {"SLURM_JOB_ID": "8"}, False),
        (FIRST, SECOND | {"SLURM_CLUSTER_NAME": "small"}, False),
        ({}, SECOND, False),
        (FIRST, {}, False),
    ],
)
def test_an_earlier_start_of_the_same_job_is_over(told: dict[str, str], now: dict[str, str], over: bool) -> None:
    assert is_over_by_requeue(slurm_start(told), now) is over


@pytest.mark.parametrize("told", [None, "7", {"job": "7", "cluster": "big"}, {"job": "7", "restarts": "0"}])
def test_what_is_no_start_says_nothing(told: object) -> None:
    assert not is_over_by_requeue(told, SECOND)


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str, environment: dict[str, str]) -> None:
    """Begin a run on a machine, in a start of a job, and leave it as a kill does."""
    for name in ("SLURM_JOB_ID", "SLURM_CLUSTER_NAME", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    with run_status.Heartbeat(folder, "f", "train"):
        pass


def test_a_requeued_job_takes_its_folder_on_another_machine_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(tmp_path, monkeypatch, "node1", FIRST)
    with pytest.raises(UserError, match="another process is running in it"):
        enter(tmp_path, monkeypatch, "node2", SECOND | {"SLURM_JOB_ID": "8"})
    with pytest.raises(UserError, match="another process is running in it"):
        enter(tmp_path, monkeypatch, "node2", {})
    enter(tmp_path, monkeypatch, "node2", SECOND)
    assert run_status.read_status(tmp_path)["host"] == "node2"
    assert run_status.read_status(tmp_path)["slurm"] == {"job": "7", "cluster": "big", "restarts": 1}


def test_outside_of_slurm_a_runs_status_says_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(tmp_path, monkeypatch, "node1", {})
    assert "slurm" not in run_status.read_status(tmp_path)


def test_a_status_of_an_earlier_version_counts_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json_atomically(tmp_path / run_status.STATUS_FILE, {"state": "running", "host": "node1", "pid": 3})
    with pytest.raises(UserError, match="another process is running in it"):
        enter(tmp_path, monkeypatch, "node2", SECOND)
