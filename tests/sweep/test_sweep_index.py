"""sweep.json: who is done, found by what it computes and not by its folder's name; and state.json's word."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.sweep import sweep_summary
from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob
from tvo_cli.sweep.sweep_objective import value_for_sweeper
from tvo_cli.tracking import run_status
from tvo_cli.tracking.atomic_files import write_json_atomically

A, B = "a" * 64, "b" * 64


def record(folder: Path, fingerprint: str, name: str, status_of: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    index = SweepIndex(folder)
    index.add(SweepJob(fingerprint, name, ["seed=1"], "tvo train seed=1", state=status_of, words=["--secret"]))
    index.save()


def test_a_configuration_is_found_by_what_it_computes(tmp_path: Path) -> None:
    record(tmp_path, A, "old-name", "finished")
    assert SweepIndex(tmp_path).enter(A, "new-name") == ("old-name", True)
    assert SweepIndex(tmp_path).enter(B, "new-name") == ("new-name", False)
    assert SweepIndex(tmp_path).enter(B, "old-name") == ("old-name-bbbbbb", False), "another experiment has that folder"


def test_a_folder_that_is_gone_is_not_done(tmp_path: Path) -> None:
    record(tmp_path, A, "s0", "finished")
    (tmp_path / "s0").rmdir()
    assert SweepIndex(tmp_path).enter(A, "s0") == ("s0", False)


def test_the_runs_own_word_stands_over_the_index(tmp_path: Path) -> None:
    record(tmp_path, A, "s0", "failed")
    write_json_atomically(tmp_path / "s0" / run_status.STATUS_FILE, {"state": "finished", "fingerprint": A})
    assert SweepIndex(tmp_path).enter(A, "s0") == ("s0", True), "rerun by hand since"
    record(tmp_path, A, "s0", "finished")
    write_json_atomically(tmp_path / "s0" / run_status.STATUS_FILE, {"state": "failed", "fingerprint": A})
    assert SweepIndex(tmp_path).enter(A, "s0") == ("s0", False)
    (tmp_path / "sweep.json").unlink()
    write_json_atomically(tmp_path / "s0" / run_status.STATUS_FILE, {"state": "finished", "fingerprint": A})
    assert SweepIndex(tmp_path).enter(A, "s0") == ("s0", True), "the index was lost"


def test_a_run_of_other_settings_in_a_jobs_folder_does_not_finish_the_job(tmp_path: Path) -> None:
    record(tmp_path, A, "s0", "interrupted")
    write_json_atomically(tmp_path / "s0" / run_status.STATUS_FILE, {"state": "finished", "fingerprint": B})
    assert SweepIndex(tmp_path).enter(A, "s0") == ("s0", False), "rerun by hand with fewer steps"


def test_a_heartbeat_outlives_an_error_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[Path] = []

    def failing(path: Path) -> None:
        beats.append(path)
        raise OSError(116, "Stale file handle") if len(beats) == 1 else FileNotFoundError(path)

    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with run_status.Heartbeat(tmp_path, A, "train", ["seed=1"]) as heartbeat:
        monkeypatch.setattr(run_status, "HEARTBEAT", 0.0)
        monkeypatch.setattr(os, "utime", failing)
        heartbeat._beat()
    assert len(beats) == 2, "and ends with the folder"


def test_what_starts_a_job_is_never_written(tmp_path: Path) -> None:
    record(tmp_path, A, "s0", "failed")
    assert "--secret" not in (tmp_path / "sweep.json").read_text()


def test_a_broken_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text('{"jobs": [{"fingerprint": 1')
    with pytest.raises(UserError, match=r"sweep\.json.*cannot be read.*Remove it"):
        SweepIndex(tmp_path)


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    with (
        SweepIndex(tmp_path).locked(),
        pytest.raises(UserError, match="already running"),
        SweepIndex(tmp_path).locked(),
    ):
        pass
    with SweepIndex(tmp_path).locked():
        pass


@pytest.mark.parametrize(
    ("codes", "stopped", "code"),
    [([0, 0], False, 0), ([0, 2], False, 2), ([2, 137], False, 1), ([75, 0], False, 75), ([0, None], True, 75)],
)
def test_the_exit_code(codes: list[int | None], stopped: bool, code: int) -> None:
    jobs = [SweepJob(A, "x", [], "", state="finished" if c == 0 else "failed", code=c) for c in codes]
    assert sweep_summary.exit_code_of_sweep(jobs, stopped=stopped) == code


def test_the_closing_table_names_the_log_and_the_command() -> None:
    jobs = [
        SweepJob(A, "s0", [], "tvo train seed=0", state="finished", before=True),
        SweepJob(B, "s1", [], "tvo train seed=1 output_dir=o/s1", state="failed", code=1, reason="boom"),
        SweepJob(B, "s2", [], "tvo train seed=2"),
    ]
    assert list(sweep_summary.sweep_summary_lines(Path("o"), jobs)) == [
        "sweep: 1 of 3 finished (1 of them before). Everything is in o",
        "  s1: failed (boom)",
        "    log: o/s1/job.log",
        "    alone: tvo train seed=1 output_dir=o/s1",
        "  s2: not started",
        "The same command runs only what is not finished.",
    ]


def test_what_a_job_said_is_shown_and_not_obeyed() -> None:
    jobs = [SweepJob(A, "s\x1b[2J", [], "tvo train", state="failed", code=1, reason="a\rb\n\u202ec\x9b1m")]
    assert list(sweep_summary.sweep_summary_lines(Path("o"), jobs))[1] == r"  s\x1b[2J: failed (a\rb\n\u202ec\x9b1m)"


def test_running_is_told_from_dead(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(words)
    facts = {"state": "running", "host": socket.gethostname(), "pid": process.pid}
    try:
        write_json_atomically(
            tmp_path / run_status.STATUS_FILE, facts | {"born": run_status._process_start_time(process.pid)}
        )
        assert run_status.status_of(tmp_path) == ("running", "")
        write_json_atomically(tmp_path / run_status.STATUS_FILE, facts | {"born": 1})
        assert run_status.status_of(tmp_path) == ("failed", run_status.VANISHED), "the number was used again"
    finally:
        process.kill()
    until = time.monotonic() + 60
    while run_status._process_start_time(process.pid) and time.monotonic() < until:
        time.sleep(0.01)
    write_json_atomically(
        tmp_path / run_status.STATUS_FILE, facts | {"born": None if not Path("/proc").exists() else 1}
    )
    process.wait()
    assert run_status.status_of(tmp_path)[0] == "failed"


def test_on_another_machine_the_heartbeat_tells(tmp_path: Path) -> None:
    write_json_atomically(tmp_path / run_status.STATUS_FILE, {"state": "running", "host": "elsewhere", "pid": 1})
    assert run_status.status_of(tmp_path) == ("running", "")
    for away, state in ((-1, "failed"), (1, "failed"), (-0.5, "running"), (0.5, "running")):  # of a clock that is wrong
        then = time.time() + away * (run_status.SILENCE + 9)
        os.utime(tmp_path / run_status.STATUS_FILE, (then, then))
        assert run_status.status_of(tmp_path)[0] == state


def test_a_beacon_beats_and_tells_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_status, "HEARTBEAT", 0.02)
    with run_status.Heartbeat(tmp_path, A, "train", ["seed=1"]) as heartbeat:
        place = tmp_path / run_status.STATUS_FILE
        os.utime(place, (1, 1))
        end = time.monotonic() + 60
        while place.stat().st_mtime < 2:
            assert time.monotonic() < end, "no heartbeat"
            time.sleep(0.01)
        assert run_status.status_of(tmp_path) == ("running", "") and not run_status.is_run_finished(tmp_path, A)
        heartbeat.end(run_status.FINISHED, 0)
    assert run_status.is_run_finished(tmp_path, A) and not run_status.is_run_finished(tmp_path, B)


def test_the_end_that_a_run_could_not_write_is_written_for_it_and_its_own_word_stands(tmp_path: Path) -> None:
    run_status.write_end_of_dead_run(tmp_path, "failed", 137, "killed", {"fingerprint": A})
    assert (
        run_status.read_status(tmp_path)["reason"] == "killed" and run_status.read_status(tmp_path)["fingerprint"] == A
    )
    run_status.write_end_of_dead_run(tmp_path, "interrupted", 75, "later", {})
    assert run_status.status_of(tmp_path) == ("failed", "killed")


def test_the_objective_is_a_metric_or_part_of_the_summary(tmp_path: Path) -> None:
    rows = [{"step": 0, "eval/pass@1": 0.1}, {"step": 2, "reward/mean": 0.5}, {"step": 2, "eval/pass@1": 0.3}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert value_for_sweeper(tmp_path, "eval/pass@1") == 0.3 and value_for_sweeper(tmp_path, "reward/mean") == 0.5
    write_json_atomically(tmp_path / "summary.json", {"evaluation": {"eval/maj": 0.7}, "seconds": 3})
    assert value_for_sweeper(tmp_path, "eval/maj") == 0.7 and value_for_sweeper(tmp_path, "seconds") == 3.0
    assert (
        value_for_sweeper(tmp_path, "evaluation.eval/maj") == 0.7
        and value_for_sweeper(tmp_path, "evaluation.seconds") is None
    )
    assert value_for_sweeper(tmp_path, "nothing") is None and value_for_sweeper(tmp_path, None) is None
