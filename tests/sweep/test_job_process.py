"""A job under its supervisor: exit codes, timeouts, what it leaves behind, and the death of those above it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import is_running, until
from tvo_cli.sweep.fork_server import ForkServer
from tvo_cli.sweep.forked_process import ForkedProcess
from tvo_cli.sweep.job_process import JobOutcome, JobProcess

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
SAVES = (
    "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(75)); print('ready', flush=True); time.sleep(60)"
)
BROOD = "import subprocess; print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid, flush=True)"


WARM = [sys.executable, "-m", "tests.sweep.run_text"]


@pytest.fixture(params=["cold", pytest.param("warm", marks=pytest.mark.slow)])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., JobProcess]]:
    made: list[JobProcess] = []
    servers: list[ForkServer] = []

    def start(program: str, grace: float = 5.0, timeout: float | None = None, by_torchrun: bool = False) -> JobProcess:
        words = [sys.executable, "-I", "-S", "-c", program]
        if request.param == "warm":
            words = [*WARM, program]
            if not servers:
                servers.append(ForkServer(["json"], os.environ, tmp_path))
            until(lambda: not servers[0].is_loading())
        log, how = tmp_path / "job.log", {"grace": grace, "timeout": timeout, "server": next(iter(servers), None)}
        made.append(JobProcess(words, log, os.environ, title="t", by_torchrun=by_torchrun, **how))  # type: ignore[arg-type]
        assert (request.param == "warm") == isinstance(made[-1]._supervisor, ForkedProcess)
        return made[-1]

    yield start
    for child in made:
        child.kill()
    for server in servers:
        server.close()
        assert server.take_notes() == []


def ended(child: JobProcess, seconds: float = 60.0) -> JobOutcome:
    return until(child.poll, seconds)


ENDS = [
    ("pass", "finished", 0, "", False),
    ("import sys; print('tvo: a=1: no.'); print('bye'); sys.exit(2)", "failed", 2, "a=1: no.", False),
    ("print('x', flush=True); 1 / 0", "failed", 1, "ZeroDivisionError: division by zero", True),
    ("import os; os._exit(3)", "failed", 3, "left with code 3", True),
    ("import os; os.kill(os.getpid(), 9)", "failed", 137, "killed by SIGKILL (out of memory?)", True),
    ("import os; os.kill(os.getpid(), 11)", "failed", 139, "killed by SIGSEGV", True),
    ("import sys; print('tvo: saved'); sys.exit(75)", "interrupted", 75, "saved", True),
    ("import sys; sys.exit(124)", "failed", 124, "left with code 124", True),
]


REPORT = "Root Cause (first observed failure):\n[0]:\n  exitcode  : {} (pid: 7)\n====="
BY_TORCHRUN = [
    (f"import sys; print({REPORT.format(2)!r}); sys.exit(1)", "failed", 2, "=====", False),
    (
        f"import sys; print({REPORT.format(-9)!r}); sys.exit(1)",
        "failed",
        137,
        "killed by SIGKILL (out of memory?)",
        True,
    ),
    ("print('tvo: saved'); {saves}", "interrupted", 75, "saved", True),
    ("{saves}; raise SystemExit(1)", "interrupted", 75, "", True),
    ("pass", "finished", 0, "", False),
]


@pytest.mark.parametrize(("program", "state", "code", "reason", "again"), BY_TORCHRUN)
def test_a_job_of_several_processes_ends_as_they_do_and_not_as_torchrun(
    begin: Callable[..., JobProcess], tmp_path: Path, program: str, state: str, code: int, reason: str, again: bool
) -> None:
    status = {"state": "interrupted", "ended": "9999-01-01T00:00:00+00:00"}
    saves = f"open({str(tmp_path / 'state.json')!r}, 'w').write({json.dumps(status)!r})"
    found = ended(begin(program.replace("{saves}", saves), by_torchrun=True))
    assert found == JobOutcome(state, code, reason, again)


@pytest.mark.parametrize(("program", "state", "code", "reason", "again"), ENDS)
def test_every_end_is_told_apart(
    begin: Callable[..., JobProcess], program: str, state: str, code: int, reason: str, again: bool
) -> None:
    assert ended(begin(program)) == JobOutcome(state, code, reason, again)


def said(child: JobProcess, word: str) -> None:
    until(lambda: word in child.log.read_text())


def test_a_job_that_is_asked_saves(begin: Callable[..., JobProcess]) -> None:
    child = begin(SAVES)
    said(child, "ready")
    child.stop()
    assert ended(child)[:2] == ("interrupted", 75)


@pytest.mark.slow
def test_a_job_that_hangs_is_asked_first_then_ended(begin: Callable[..., JobProcess]) -> None:
    child = begin(SAVES, timeout=0.5)
    assert ended(child) == JobOutcome("failed", 124, "not done after 0.5 s (hydra.launcher.timeout)", True)
    child = begin(DEAF, grace=0.3, timeout=0.5)
    begun = time.monotonic()
    assert ended(child).code == 124 and time.monotonic() - begun < 30
    assert child.pid and not is_running(child.pid)


def test_a_deaf_job_that_is_asked_is_ended_after_the_grace_and_at_once_by_kill(
    begin: Callable[..., JobProcess],
) -> None:
    child = begin(DEAF, grace=0.3)
    said(child, "deaf")
    child.stop()
    assert ended(child) == JobOutcome("interrupted", 137, "stopped before it could save", False)
    child = begin(DEAF, grace=60)
    child.kill()
    assert ended(child).state == "interrupted"


def test_nothing_that_a_job_started_outlives_it(begin: Callable[..., JobProcess]) -> None:
    child = begin(BROOD)
    assert ended(child).state == "finished"
    pid = int(child.log.read_text().split()[-1])
    assert not is_running(pid)


def test_a_supervisor_that_is_killed_takes_its_job_along(begin: Callable[..., JobProcess]) -> None:
    child = begin(DEAF)
    said(child, "deaf")
    child._supervisor.kill()
    assert ended(child).code == 137
    assert child.pid is not None
    until(lambda: not is_running(child.pid or 0), 5)


def test_a_job_that_cannot_start_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    child = JobProcess(["/nowhere/x"], tmp_path / "job.log", os.environ, title="t", grace=1, timeout=None)
    found = ended(child)
    assert found.state == "failed" and found.code == 1 and "/nowhere/x" in found.reason


PARENT = """
import os, sys, time
from pathlib import Path
from tvo_cli.sweep.fork_server import ForkServer
from tvo_cli.sweep.forked_process import ForkedProcess
from tvo_cli.sweep.job_process import JobProcess
child = JobProcess([sys.executable, "-c", {job!r}], Path({log!r}), os.environ, title="t", grace=0.5, timeout=None)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("job", [SAVES, DEAF], ids=["saves", "deaf"])
def test_kill_9_of_the_parent_ends_the_job(tmp_path: Path, job: str) -> None:
    log = tmp_path / "job.log"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(job=job, log=str(log))], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until(lambda: "ready" in log.read_text() or "deaf" in log.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_running(pid), 5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux kills a child with its parent")
def test_kill_9_of_both_the_parent_and_the_supervisor_ends_the_job(tmp_path: Path) -> None:
    program = PARENT.replace("child.pid,", "child.pid, child._supervisor.pid,").format(
        job=DEAF, log=str(tmp_path / "log")
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, supervisor = map(int, parent.stdout.readline().split())
    until(lambda: "deaf" in (tmp_path / "log").read_text())
    os.kill(supervisor, signal.SIGSTOP)  # it never gets to say anything
    parent.kill()
    parent.wait()
    parent.stdout.close()
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: not is_running(pid), 5)


ASKED = (
    "import signal, sys, time\n"
    "for n in (1, 2, 10, 15):\n"
    "    signal.getsignal(n) is signal.SIG_IGN or signal.signal(n, lambda n, _: (print('asked by', n), sys.exit(75)))\n"
    "print('ready', *(n for n in (1, 2, 10, 12, 15) if signal.getsignal(n) is signal.SIG_IGN), flush=True)\n"
    "time.sleep(60)"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ignored", "by"), [((), 15), ((1,), 15), ((1, 2, 12), 15), ((15,), 10), ((10, 15), 1)], ids=str
)
def test_a_job_ignores_what_its_sweep_did_and_is_asked_by_a_signal_it_hears(
    begin: Callable[..., JobProcess], ignored: tuple[int, ...], by: int
) -> None:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    try:
        child = begin(ASKED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    until(lambda: "ready" in child.log.read_text())
    assert child.log.read_text().splitlines()[-1].split()[1:] == [str(number) for number in ignored]
    for number in ignored:
        os.kill(child._supervisor.pid, number)
        os.kill(child.pid or 0, number)
    child.stop()
    assert ended(child).code == 75
    assert child.log.read_text().splitlines()[-1] == f"asked by {by}"
