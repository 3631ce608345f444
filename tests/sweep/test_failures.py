"""The failure matrix: whatever becomes of a job, or of the sweep, the other jobs and nobody's processes stay."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import is_running, until
from tvo_cli.tracking import run_status

from .conftest import PROGRAM, ROOT, WAIT, Sweep

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
MATRIX = "+act=raise,exit,kill,hang,ok,brood"
QUICK = ("hydra.launcher.grace=0.5", "hydra.launcher.n_jobs=3")


@pytest.fixture
def sweep(either_sweep: Sweep) -> Sweep:
    """Every failure of this page both ways."""
    return either_sweep


@pytest.mark.slow
def test_one_raises_one_exits_one_is_killed_one_hangs_and_the_rest_finish(sweep: Sweep) -> None:
    patience = max(10, round(3 * seconds_of_a_job(sweep)))  # three jobs at once
    assert_each_failure_is_told_and_the_rest_finish(sweep, patience)
    mend_and_run_alone_by_the_command_of_the_table(sweep, "raise")
    before = len(sweep.starts())
    assert before == 7
    assert_the_same_command_does_only_the_rest(sweep, before)


def seconds_of_a_job(sweep: Sweep) -> float:
    """How long a job that does nothing takes on this machine as busy as it is."""
    began = time.monotonic()
    words = [sys.executable, str(PROGRAM), "train", "logger=none", "output_dir=alone/job"]
    subprocess.run(words, cwd=sweep.place, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return time.monotonic() - began


def assert_each_failure_is_told_and_the_rest_finish(sweep: Sweep, patience: int) -> None:
    code, said, complained = sweep.run(MATRIX, *QUICK, f"hydra.launcher.timeout={patience}")
    jobs = sweep.jobs()
    assert code == 1 and "Traceback" not in complained
    failed, finished = ("raise", "exit", "kill", "hang"), ("ok", "brood")
    assert {name: job["state"] for name, job in jobs.items()} == {
        **dict.fromkeys(failed, "failed"),
        **dict.fromkeys(finished, "finished"),
    }
    assert "boom" in jobs["raise"]["reason"] and jobs["exit"]["code"] == 3
    assert "SIGKILL" in jobs["kill"]["reason"] and f"not done after {patience} s" in jobs["hang"]["reason"]
    assert "sweep: 2 of 6 finished" in said
    assert len(sweep.pids()) == 7 and [pid for pid in sweep.pids() if is_running(pid)] == []
    for name in failed:
        assert run_status.status_of(sweep.folder / name)[0] == "failed"
        assert f"sweep/{name}/job.log" in said and f"alone: {jobs[name]['command']}" in said


def mend_and_run_alone_by_the_command_of_the_table(sweep: Sweep, name: str) -> None:
    (sweep.folder / "mended").touch()
    words = shlex.split(sweep.jobs()[name]["command"])
    assert words[:2] == ["tvo", "train"] and f"output_dir=sweep/{name}" in words
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(PROGRAM), *words[1:]], cwd=sweep.place, env=environment, check=True)


def assert_the_same_command_does_only_the_rest(sweep: Sweep, before: int) -> None:
    code, said, _ = sweep.run(MATRIX, *QUICK)
    assert code == 0 and "6 of 6 finished (3 of them before)" in said
    assert sorted(sweep.starts()[before:]) == ["exit", "hang", "kill"]
    code, said, _ = sweep.run(MATRIX, *QUICK)
    assert code == 0 and "(6 of them before)" in said and len(sweep.starts()) == before + 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_to_the_sweep_lets_its_jobs_save_and_the_same_command_goes_on(
    sweep: Sweep, number: signal.Signals
) -> None:
    began = sweep.start("+act=slow", "seed=0,1,2", "hydra.launcher.n_jobs=2")
    until(lambda: len(list(sweep.folder.glob("*/began.txt"))) == 2)
    began.send_signal(number)
    said, _ = began.communicate(timeout=WAIT)
    assert began.returncode == 75 and "s2: not started" in said
    assert [pid for pid in sweep.pids() if is_running(pid)] == []
    assert {name: (job["state"], job["code"]) for name, job in sweep.jobs().items()} == {
        "s0": ("interrupted", 75),
        "s1": ("interrupted", 75),
        "s2": ("waiting", None),
    }
    assert run_status.status_of(sweep.folder / "s0")[0] == "interrupted"
    (sweep.folder / "hurry").touch()
    assert sweep.run("+act=slow", "seed=0,1,2", "hydra.launcher.n_jobs=2")[0] == 0
    saved = int((sweep.folder / "s0" / "saved.txt").read_text())
    assert (sweep.folder / "s0" / "began.txt").read_text() == f"0\n{saved}\n"


@pytest.mark.slow
def test_kill_9_of_the_sweep_leaves_no_orphan_and_loses_nothing(sweep: Sweep) -> None:
    began = sweep.start("+act=slow,hang", "hydra.launcher.n_jobs=2", "hydra.launcher.grace=1")
    until(lambda: (sweep.folder / "slow" / "began.txt").exists() and len(sweep.pids()) == 2)
    began.kill()
    began.wait()
    until(lambda: not any(is_running(pid) for pid in sweep.pids()))
    assert (sweep.folder / "slow" / "saved.txt").exists(), "it was not given the time to save"
    assert run_status.status_of(sweep.folder / "slow")[0] == "interrupted"
    assert run_status.status_of(sweep.folder / "hang") == ("failed", run_status.VANISHED)
    (sweep.folder / "mended").touch()
    code, said, _ = sweep.run("+act=slow,hang", "hydra.launcher.n_jobs=2")
    assert code == 0 and "2 of 2 finished." in said


@pytest.mark.slow
def test_a_job_somebody_else_runs_is_waited_for_and_a_sweep_that_runs_is_not_run_twice(sweep: Sweep) -> None:
    began = sweep.start("+act=slow", "seed=0,1", "hydra.launcher.n_jobs=1")
    until(lambda: (sweep.folder / "s0" / "began.txt").exists())
    code, _, complained = sweep.run("+act=slow", "seed=0,1")
    assert code == 2 and complained.splitlines()[-1].startswith("tvo: output_dir=") and "already running" in complained
    [job] = sweep.pids()
    os.kill(job, signal.SIGSTOP)  # a job that is still busy when its sweep has died
    began.kill()
    began.wait()
    (sweep.folder / "hurry").touch()
    second = sweep.start("+act=slow", "seed=0,1", "hydra.launcher.n_jobs=1")
    log = sweep.folder / "sweep.log"
    until(lambda: "s0 (another process is running it)" in log.read_text() and "finished s1" in log.read_text())
    os.kill(job, signal.SIGCONT)
    said, _ = second.communicate(timeout=WAIT)
    assert second.returncode == 0 and "2 of 2 finished" in said
    assert sweep.starts().count("s0") <= 2


@pytest.mark.slow
def test_a_retry_is_for_what_may_fare_better(sweep: Sweep) -> None:
    code, _, _ = sweep.run("+act=user,kill", "hydra.launcher.retries=1", "hydra.launcher.n_jobs=2")
    assert code == 1 and sorted(sweep.starts()) == ["kill", "kill", "user"]
    jobs = sweep.jobs()
    assert jobs["user"]["reason"] == "seed=1: is unlucky." and jobs["user"]["code"] == 2
    assert (sweep.folder / "kill" / "job.log").read_text().count("$ tvo train") == 2
    (sweep.folder / "mended").touch()
    assert sweep.run("+act=user,kill")[0] == 0


@pytest.mark.slow
def test_nohup_holds_for_the_sweep_and_its_jobs(sweep: Sweep) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        began = sweep.start("+act=slow", "seed=0,1", "hydra.launcher.n_jobs=1")
    finally:
        signal.signal(signal.SIGHUP, before)
    until(lambda: (sweep.folder / "s0" / "began.txt").exists())
    for pid in (began.pid, *sweep.pids()):
        os.kill(pid, signal.SIGHUP)
    (sweep.folder / "hurry").touch()
    said, complained = began.communicate(timeout=WAIT)
    assert began.returncode == 0 and "2 of 2 finished" in said and "SIGHUP" not in said + complained


@pytest.mark.slow
def test_a_sweep_outlives_its_console(sweep: Sweep) -> None:
    began = sweep.start("+act=slow", "seed=0,1", "hydra.launcher.n_jobs=1")
    until(lambda: (sweep.folder / "s0" / "began.txt").exists())
    assert began.stdout and began.stderr
    began.stdout.close()
    began.stderr.close()
    (sweep.folder / "hurry").touch()
    assert began.wait(60) == 0
    assert {job["state"] for job in sweep.jobs().values()} == {"finished"}
    began.stdout = began.stderr = None
    assert "standard output is lost (Broken pipe)" in (sweep.folder / "sweep.log").read_text()
