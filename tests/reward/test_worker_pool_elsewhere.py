"""The pool under asyncio, behind bombs, and on systems without Linux's calls."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import are_gone
from tests.reward.conftest import BOMB, RIGHT, SETTINGS, WRONG, grade
from tvo_cli.reward import Grader, worker_pool
from tvo_cli.reward.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
STUB = """
import json, sys, time
time.sleep({start})
print(json.dumps("ready"), flush=True)
sys.stdin.readline()
{end}
"""
SLOW = """
time.sleep(0.5)
print(json.dumps(dict(row=0, correct=True, reason="equal", failed=False)), flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_under_asyncio_the_loop_goes_on_while_rows_are_graded(light: None) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.02)
            ticks += 1

    async def work(grader: Grader) -> list[list[bool]]:
        ticking = asyncio.create_task(tick())
        calls = (asyncio.to_thread(grade, grader, RIGHT, BOMB, WRONG) for _ in range(2))
        found = await asyncio.gather(*calls)
        ticking.cancel()
        return [[verdict.correct for verdict in verdicts] for verdicts in found]

    with Grader({**SETTINGS, "workers": 1, "deadline": 0.2}) as grader:
        assert asyncio.run(work(grader)) == [[True, False, False]] * 2
    assert ticks > 20


def test_called_straight_from_a_coroutine(light: None) -> None:
    async def work(grader: Grader) -> list[bool]:
        return [verdict.correct for verdict in grade(grader, RIGHT, WRONG)]

    with Grader(SETTINGS) as grader:
        assert asyncio.run(work(grader)) == [True, False]


@pytest.mark.slow
def test_behind_a_late_row_the_next_child_is_already_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each bomb of a file would cost a start besides its deadline."""
    monkeypatch.setattr(worker_pool, "PROGRAM", STUB.format(start=0.2, end="time.sleep(60)"))
    bombs, events = WorkerPool(workers=1, deadline=1.0, megabytes=256, patience=1.0), []
    start, kill = bombs.start, worker_pool.WorkerHandle.kill
    monkeypatch.setattr(bombs, "start", lambda: (events.append("start"), start())[1])
    monkeypatch.setattr(worker_pool.WorkerHandle, "kill", lambda child: (events.append("kill"), kill(child))[1])
    findings = bombs.judge([{"row": row} for row in range(2)])
    bombs.close()
    assert [finding["reason"] for finding in findings] == ["timeout"] * 2
    together, alone = ["start", "start", "kill", "kill"], ["start", "kill"]
    assert events == together + alone * 2


WAITING = """
time.sleep(0.6)
print(json.dumps(dict(row=0, correct=True, reason="equal", failed=False)), flush=True)
"""
BURNING = """
from tvo_cli.reward import worker_sandbox
worker_sandbox.limit_time(0.2)
while True: pass
"""


@pytest.mark.slow
def test_the_deadline_is_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that waits three deadlines for its turn is heard; one that computes through its deadline is not."""
    monkeypatch.setattr(worker_pool, "PROGRAM", STUB.format(start=0.0, end=WAITING))
    busy = WorkerPool(workers=1, deadline=0.2, megabytes=256, patience=100.0)
    assert busy.judge([{"row": 0}])[0]["reason"] == "equal"
    busy.close()
    monkeypatch.setattr(
        worker_pool, "PROGRAM", f"import sys; sys.path.insert(0, {str(ROOT)!r})" + STUB.format(start=0.0, end=BURNING)
    )
    assert busy.judge([{"row": 0}])[0]["reason"] == "timeout"
    busy.close()


@pytest.mark.slow
def test_a_row_that_ran_out_of_time_is_tried_once_more_and_then_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "PROGRAM", STUB.format(start=0.0, end="time.sleep(60)"))
    bombs, starts = WorkerPool(workers=2, deadline=0.3, megabytes=256, patience=1.0), []
    start = bombs.start
    monkeypatch.setattr(bombs, "start", lambda: (starts.append(1), start())[1])
    assert bombs.judge([{"text": "bomb"}, {"text": "bomb"}])[1] == worker_pool._failed_finding(1, "timeout")
    tried = len(starts)
    assert [finding["reason"] for finding in bombs.judge([{"text": "bomb"}])] == ["timeout"]
    assert len(starts) == tried, "known: no child was asked"
    bombs.close()


@pytest.mark.slow
def test_no_more_children_stay_than_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "PROGRAM", STUB.format(start=0.0, end=SLOW))
    slow = WorkerPool(workers=1, deadline=0.8, megabytes=256, patience=2.0)
    findings = slow.judge([{"row": 0}, {"row": 1}])
    assert findings[0]["reason"] == "equal" and len(slow.pids) <= 1
    slow.close()
    assert slow.pids == ()


@pytest.mark.parametrize(("code", "reason"), [(77, "memory"), (1, "crash"), (0, "crash")])
def test_why_a_child_ended(monkeypatch: pytest.MonkeyPatch, code: int, reason: str) -> None:
    monkeypatch.setattr(worker_pool, "PROGRAM", STUB.format(start=0.0, end=f"sys.exit({code})"))
    dying = WorkerPool(workers=1, deadline=5.0, megabytes=256)
    (finding,) = dying.judge([{"row": 0}])
    dying.close()
    assert finding == {"row": 0, "correct": False, "reason": reason, "failed": True}


WATCHED = """
import os, sys, threading, time, subprocess, resource
from tvo_cli.reward import worker_sandbox
sys.platform = "elsewhere"
worker_sandbox.die_with_parent(os.getppid(), {megabytes})
print(os.getpid(), flush=True)
{work}
"""


@pytest.mark.slow
def test_without_prctl_a_child_at_work_ends_soon_after_its_parent() -> None:
    child = WATCHED.format(megabytes=4096, work="while True: sum(range(1000))")
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.kill()
    process.wait(10)
    process.stdout.close()
    assert are_gone((pid,), seconds=30.0)


def test_without_a_limit_of_the_kernel_a_child_watches_its_own_memory() -> None:
    greedy = WATCHED.format(megabytes=200, work="held = bytearray(300 << 20); time.sleep(10)")
    done = subprocess.run([sys.executable, "-c", greedy], stdout=subprocess.PIPE, cwd=ROOT, timeout=60)
    assert done.returncode == 77


@pytest.mark.slow
def test_a_child_runs_the_code_of_its_parent(tmp_path: Path) -> None:
    """Another tvo_cli that is installed, or comes first on the path, is not the one that judges."""
    other = tmp_path / "tvo_cli"
    other.mkdir()
    (other / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.reward.conftest import RIGHT, SETTINGS, WRONG, grade
from tvo_cli.reward import Grader
os.environ["PYTHONPATH"] = {str(tmp_path)!r}
with Grader({{**SETTINGS, "workers": 1}}) as grader:
    print([v.correct for v in grade(grader, RIGHT, WRONG)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path.parent)
    assert done.stdout == "[True, False]\n"


def test_rows_whose_keys_cannot_be_sorted_are_told_apart() -> None:
    """A task's metadata may be keyed by numbers and by words."""
    one, other = ({"entry": {1: "a", "size": value}} for value in (2, 3))
    assert (
        worker_pool._key_of_pool_request(one)
        == worker_pool._key_of_pool_request(dict(one))
        != worker_pool._key_of_pool_request(other)
    )
