"""A user's own function in a child process: what breaks there is told, what hangs is killed with what it started."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.reward.function_call import CallOutcome, FunctionRequest
from tvo_cli.reward.function_worker import FunctionWorker
from tvo_cli.types import Problem, Verdict

pytestmark = pytest.mark.slow

CODE = """
import os, random, sys, time
def brevity(responses, words): return [min(1.0, words / max(len(text.split()), 1)) for text in responses]
def third(responses): return [1 / 3 for _ in responses]
def prints(responses): print("seen", len(responses)); os.chdir("/"); return [None] * len(responses)
def where(responses): return [float(os.getcwd() == "/")] * len(responses)
def draws(responses): return [random.random() for _ in responses]
def rows(problems, verdicts): return [p["x"][0] + v.correct for p, v in zip(problems, verdicts)]
def waits(responses): time.sleep(600)
def burns(responses):
    while True: pass
def forks(responses):
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    open("child", "w").write(str(child))
    while True: pass
def dies(responses): os._exit(3)
def writes(responses): open("written", "w").write("by own code"); return [1.0] * len(responses)
"""
PROBLEM = Problem("p", "q", "a", "s", metadata={"x": (2, 3)})


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)


@contextlib.contextmanager
def worker(name: str, deadline: float = 0.3) -> Iterator[FunctionWorker]:
    found = FunctionWorker("reward.functions.0.call", f"mine.py:{name}", deadline, patience=5)
    try:
        yield found
    finally:
        found.close()


def said_by(found: FunctionWorker, **constants: object) -> CallOutcome:
    found.send(FunctionRequest({"responses": ["a b", ""]}, constants, 2, 5, "reward"))
    return found.receive()[0]


def test_rewards_come_back_to_the_last_bit() -> None:
    with worker("brevity", 5.0) as found:
        assert said_by(found, words=1) == CallOutcome([0.5, 1.0])
    with worker("third", 5.0) as found:
        assert said_by(found).values == [1 / 3, 1 / 3]


def test_problems_and_verdicts_are_objects_there_too() -> None:
    with worker("rows", 5.0) as found:
        columns: dict[str, list[Any]] = {"problems": [PROBLEM], "verdicts": [Verdict(True, "a", "equal")]}
        found.send(FunctionRequest(columns, {}, 1, 5, "reward"))
        assert found.receive()[0] == CallOutcome([3.0])


def test_what_it_prints_is_told_and_its_folder_is_put_back() -> None:
    with worker("prints", 5.0) as found:
        for _ in range(2):
            found.send(FunctionRequest({"responses": ["a"]}, {}, 1, 5, "reward"))
            assert found.receive() == (CallOutcome([None]), "seen 1\n")


def test_own_code_may_write_files() -> None:
    with worker("writes", 5.0) as found:
        assert said_by(found).values == [1.0, 1.0]
    assert Path("written").read_text() == "by own code"


def test_draws_are_those_of_the_seed_in_every_child() -> None:
    with worker("draws", 5.0) as one, worker("draws", 5.0) as other:
        first = said_by(one)
        assert said_by(one) == said_by(other) == first


@pytest.mark.parametrize("name", ["waits", "burns"])
def test_what_does_not_return_is_killed_and_the_next_call_has_a_new_child(name: str) -> None:
    with worker(name) as found:
        for _ in range(2):
            said = "did not return within 0.3 s of processor time or 1.5 s in all, and was killed"
            assert said_by(found) == CallOutcome([None, None], failure=said)


def test_an_answer_that_has_come_counts_however_late_it_is_read() -> None:
    with worker("third", 5.0) as found:
        found.send(FunctionRequest({"responses": ["a"]}, {}, 1, 5, "reward"))
        assert found._child is not None
        select.select([found._child.output], [], [])
        found._child.until = 0.0
        assert found.receive()[0] == CallOutcome([1 / 3])


def test_what_it_has_forked_ends_with_it() -> None:
    with worker("forks") as found:
        assert "was killed" in said_by(found).failure
    child, until = int(Path("child").read_text()), time.monotonic() + 60
    while not _has_gone(child):  # the kernel ends it soon after
        assert time.monotonic() < until
        time.sleep(0.01)


def _has_gone(pid: int) -> bool:
    """Whether a process has ended, or waits as a zombie for whoever has adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_a_process_that_ends_itself_is_told() -> None:
    with worker("dies") as found:
        assert said_by(found).failure == "ended its process (crash)"


def test_code_that_changes_during_a_run_is_not_loaded() -> None:
    with worker("third", 5.0) as found:
        said_by(found)
        found.close()
        Path("mine.py").write_text(CODE + "\n# otherwise\n")
        with pytest.raises(UserError, match="has changed since the run began"):
            said_by(found)


def test_a_file_that_fails_to_load_says_why() -> None:
    Path("mine.py").write_text("import nothing_of_this_name\ndef third(responses): ...\n")
    with worker("third") as found, pytest.raises(UserError, match="No module named 'nothing_of_this_name'"):
        said_by(found)
