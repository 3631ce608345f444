"""The runner with a stand-in for the attempts: signals at bad moments, and what it writes down."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tvo_cli.sweep import runner
from tvo_cli.sweep.job_process import JobOutcome
from tvo_cli.sweep.slots import Slot
from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob

KEY = "f00dfacec0ffee"


class ProgressTable:
    """Nobody looks."""

    def __getattr__(self, name: str) -> Any:
        return lambda *words: None


class Passing:
    """Ends well by itself, while every signal arrives that nohup and a script's `&` ignore."""

    pid, begun = 1, 0.0

    def __init__(self, *words: object, **more: object) -> None:
        for number in runner.STOP:
            os.kill(os.getpid(), number)

    def stop(self) -> None:
        raise AssertionError("nobody asked for a stop")

    def poll(self) -> JobOutcome | None:
        return JobOutcome("finished", 0, "", False)


class Done(Passing):
    """Ends well, and no signal comes."""

    def __init__(self, *words: object, **more: object) -> None:
        pass


class Attempt:
    """Ends when it is stopped; while it is being started, a signal arrives."""

    made: ClassVar[list[Attempt]] = []
    pid, begun = 1, 0.0

    def __init__(self, *words: object, **more: object) -> None:
        self.stopped = False
        Attempt.made.append(self)
        os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        self.stopped = True

    def poll(self) -> JobOutcome | None:
        assert self.stopped, "the job was never told"
        return JobOutcome("failed", 1, f"the service refused {KEY}", False)


def test_a_signal_while_a_job_is_started_reaches_that_job_and_no_reason_quotes_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(runner, "JobProcess", Attempt)
    index = SweepIndex(tmp_path)
    index.add(job := SweepJob("a" * 64, "s0", ["seed=0"], "tvo train seed=0"))
    terms = runner.RunnerSettings(retries=0, timeout=None, grace=1.0)
    runner.SweepRunner(index, [job], [Slot(0, None, 1)], terms, ProgressTable()).run()  # type: ignore[arg-type]
    assert len(Attempt.made) == 1 and job.state == "failed" and job.reason == "the service refused ***"
    assert KEY not in "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_signals_that_were_ignored_at_the_start_stop_no_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "JobProcess", Passing)
    index = SweepIndex(tmp_path)
    index.add(job := SweepJob("a" * 64, "s0", ["seed=0"], "tvo train seed=0"))
    terms = runner.RunnerSettings(retries=0, timeout=None, grace=1.0)
    sweep = runner.SweepRunner(index, [job], [Slot(0, None, 1)], terms, ProgressTable())  # type: ignore[arg-type]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in runner.STOP}
    try:
        sweep.run()
        assert all(signal.getsignal(number) is signal.SIG_IGN for number in runner.STOP)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert job.state == "finished" and not sweep.stopped


@pytest.mark.parametrize(("anew", "attempts"), [(False, 0), (True, 1)])
def test_a_job_that_is_done_runs_again_only_where_it_is_to_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool, attempts: int
) -> None:
    monkeypatch.setattr(runner, "JobProcess", Done)
    index = SweepIndex(tmp_path)
    index.add(job := SweepJob("a" * 64, "s0", ["seed=0"], "tvo train seed=0", anew=anew))
    (tmp_path / "s0").mkdir()
    (tmp_path / "s0" / "state.json").write_text(f'{{"state": "finished", "fingerprint": "{job.fingerprint}"}}')
    terms = runner.RunnerSettings(retries=0, timeout=None, grace=1.0)
    runner.SweepRunner(index, [job], [Slot(0, None, 1)], terms, ProgressTable()).run()  # type: ignore[arg-type]
    assert (job.state, job.attempts, job.before) == ("finished", attempts, not anew)


class Told(ProgressTable):
    """Remembers what it is told, and by whom."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        import inspect

        assert "heard" not in [frame.function for frame in inspect.stack()], "a handler must not print"
        self.said.append(text)


def test_what_a_signal_does_is_said_but_not_by_its_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "JobProcess", Attempt)
    index, board = SweepIndex(tmp_path), Told()
    index.add(job := SweepJob("a" * 64, "s0", ["seed=0"], "tvo train seed=0"))
    terms = runner.RunnerSettings(retries=0, timeout=None, grace=1.0)
    runner.SweepRunner(index, [job], [Slot(0, None, 1)], terms, board).run()  # type: ignore[arg-type]
    assert len(board.said) == 1 and board.said[0].startswith("SIGTERM: ")


class Loading:
    """The process that jobs are forked from: has loaded the program when it is asked for the third time."""

    asked = 0

    def is_loading(self) -> bool:
        self.asked += 1
        return self.asked < 3

    def take_notes(self) -> list[str]:
        return []


class Drawn(ProgressTable):
    """Remembers at every turn whether the program is said to load."""

    def __init__(self) -> None:
        self.is_loading, self.seen = False, list[bool]()

    def tick(self) -> None:
        self.seen.append(self.is_loading)


def test_the_table_knows_while_jobs_wait_for_the_program_to_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "JobProcess", Passing)
    monkeypatch.setattr(runner, "STOP", ())
    monkeypatch.setattr(runner, "PAUSE", 0.001)
    index, board = SweepIndex(tmp_path), Drawn()
    index.add(job := SweepJob("a" * 64, "s0", ["seed=0"], "tvo train seed=0"))
    terms = runner.RunnerSettings(retries=0, timeout=None, grace=1.0)
    runner.SweepRunner(index, [job], [Slot(0, None, 1)], terms, board, Loading()).run()  # type: ignore[arg-type]
    assert job.state == "finished" and board.seen[:2] == [True, True] and not any(board.seen[2:])
