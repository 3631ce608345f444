"""The fork server: what a forked job is, what is refused, and what follows when the server or a file changes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.processes import is_running, until
from tvo_cli.sweep import fork_server
from tvo_cli.sweep.fork_server import ForkServer
from tvo_cli.sweep.forked_process import ForkedProcess
from tvo_cli.sweep.job_process import JobOutcome, JobProcess

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="jobs are forked on Linux alone")
RUN_TEXT = [sys.executable, "-m", "tests.sweep.run_text"]
FACTS = """
import gc, json, os, signal, sys, threading
from pathlib import Path
links = {path.name: str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()}
main, signals = sys.modules["__main__"], list(signal.Signals)
print("facts", json.dumps({
    "descriptors": {name: link for name, link in links.items() if link != f"/proc/{os.getpid()}/fd"},
    "parents": [os.getpgid(0) == os.getpid(), os.getsid(0) == os.getppid()],
    "surroundings": [os.getcwd(), dict(os.environ), sys.path, sys.argv, sys.orig_argv],
    "main": [main.__name__, main.__spec__.name],
    "threads": [len(os.listdir("/proc/self/task")), threading.active_count()],
    "signals": {one.name: str(signal.getsignal(one)) for one in signals},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "stdin": sys.stdin.read(),
    "streams": [(one.encoding, one.write_through, one.line_buffering) for one in (sys.stdout, sys.stderr)],
    "collects": gc.isenabled(),
}))
"""


class Servers:
    """Fork servers and jobs of a test, in its folder."""

    def __init__(self, place: Path) -> None:
        self.place, self.made, self.jobs = place, list[ForkServer](), list[JobProcess]()

    def server(self, *modules: str, environment: Mapping[str, str] = os.environ) -> ForkServer:
        """One that is ready, or has given up."""
        self.made.append(ForkServer(modules, environment, self.place))
        until(lambda: not self.made[-1].is_loading())
        return self.made[-1]

    def job(self, program: str, server: ForkServer | None, name: str = "job", **how: Any) -> JobProcess:
        """A job of a program's text."""
        self.jobs.append(self.of([*RUN_TEXT, program], server, name, **how))
        return self.jobs[-1]

    def of(self, words: Sequence[str], server: ForkServer | None, name: str, **how: Any) -> JobProcess:
        environment = how.pop("environment", os.environ)
        log = self.place / name / "job.log"
        return JobProcess(words, log, environment, title="t", grace=1.0, timeout=None, server=server)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    found = Servers(tmp_path)
    yield found
    for job in found.jobs:
        job.kill()
    for server in found.made:
        server.close()


def ended(job: JobProcess) -> JobOutcome:
    return until(job.poll, 60)


def facts(job: JobProcess) -> dict[str, Any]:
    assert ended(job).state == "finished", job.log.read_text()
    [line] = [line for line in job.log.read_text().splitlines() if line.startswith("facts")]
    found: dict[str, Any] = json.loads(line.removeprefix("facts").replace(f"/{job.log.parent.name}/", "/NAME/"))
    return found


def is_warm(job: JobProcess) -> bool:
    return isinstance(job._supervisor, ForkedProcess)


def test_a_forked_job_is_in_everything_that_it_can_ask_the_job_of_a_cold_start(servers: Servers) -> None:
    slot = {**os.environ, "CUDA_VISIBLE_DEVICES": "3", "TVO_CONF": "x", "OMP_NUM_THREADS": "2"}
    server = servers.server("json", environment={**slot, "CUDA_VISIBLE_DEVICES": "other"})
    with (servers.place / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        warm = servers.job(FACTS, server, "forked-job", environment=slot)
        cold = servers.job(FACTS, None, "started-job", environment=slot)
        assert is_warm(warm) and not is_warm(cold)
        found = facts(warm)
    assert found == facts(cold)
    assert found["surroundings"][1]["CUDA_VISIBLE_DEVICES"] == "3" and found["parents"] == [True, True]
    assert sorted(found["descriptors"]) == ["0", "1", "2"] and found["threads"] == [1, 1] and found["stdin"] == ""
    assert server.take_notes() == []


@pytest.mark.slow
def test_the_jobs_of_a_server_that_is_killed_go_on_and_the_next_ones_start_cold_with_a_line(servers: Servers) -> None:
    server = servers.server("json")
    over = servers.place / "over"
    waits = f"import pathlib, sys, time\nwhile not pathlib.Path({str(over)!r}).exists(): time.sleep(0.05)\nsys.exit(3)"
    running = servers.job(waits, server, "running")
    assert is_warm(running) and server.pid
    os.kill(server.pid, signal.SIGKILL)
    begun = time.monotonic()
    following = servers.job("print('here')", server, "following")
    assert time.monotonic() - begun < fork_server.ANSWER / 2, "a supervisor held the server's end of the socket"
    assert not is_warm(following) and ended(following).state == "finished"
    over.touch()
    assert ended(running) == JobOutcome("failed", 3, "left with code 3", True)
    assert server.take_notes() == ["warm starts: killed by SIGKILL; further jobs start cold"]
    assert not is_warm(servers.job("pass", server, "last")) and server.take_notes() == []


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_ended_and_its_job_begins_once(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "ANSWER", 0.5)
    server = servers.server("json")
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)
    job = servers.job("print('began')", server)
    assert not is_warm(job) and ended(job).state == "finished"
    assert job.log.read_text().count("began") == 1
    assert server.take_notes() == ["warm starts: no answer; further jobs start cold"]


@pytest.mark.slow
def test_a_supervisor_begins_no_job_before_the_sweep_knows_of_it(servers: Servers) -> None:
    import socket

    server = servers.server("json")
    ours, theirs = socket.socketpair()
    with (servers.place / "job.log").open("wb") as log:
        words = [*RUN_TEXT, "print('began')"]
        supervisor = server.fork_job(words, os.environ, [theirs.fileno(), log.fileno()], 1.0, None)
    theirs.close()
    assert supervisor is not None
    time.sleep(0.5)
    assert supervisor.poll() is None and (servers.place / "job.log").read_text() == ""
    ours.close()
    assert until(supervisor.poll) == 1 and (servers.place / "job.log").read_text() == ""


REFUSED = {
    "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()": "more threads",
    "import os; kept = os.open('/etc/hostname', os.O_RDONLY)": "an import has opened /etc/hostname",
    "1 / 0": "ZeroDivisionError: division by zero",
    "import os; os.kill(os.getpid(), 11)": "killed by SIGSEGV",
    "import sys, types\nsys.modules['torch'] = types.SimpleNamespace(cuda=types.SimpleNamespace(_is_in_bad_fork=lambda: True))": "has initialised CUDA",  # noqa: E501
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_a_process_that_may_not_be_forked_is_not_and_it_is_said(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    (servers.place / "imported_here.py").write_text(text)
    monkeypatch.chdir(servers.place)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    server = servers.server("imported_here", environment=dict(os.environ))
    assert not is_warm(servers.job("pass", server))
    [note] = server.take_notes()
    assert note.startswith("warm starts: ") and reason in note and note.endswith("; further jobs start cold")


@pytest.mark.slow
def test_code_that_changes_is_loaded_anew_and_said(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"/x/a.py": (1, 1), "/x/b.py": (1, 1)}
    monkeypatch.setattr(fork_server, "state_of_program_files", lambda: dict(files))
    server = servers.server("json")
    before = server.pid
    assert is_warm(servers.job("pass", server, "first"))
    files["/x/b.py"] = (2, 1)
    del files["/x/a.py"]
    assert server.is_loading() and server.pid != before
    until(lambda: not server.is_loading())
    assert is_warm(servers.job("pass", server, "second"))
    assert server.take_notes() == ["/x/a.py and 1 more has changed: further jobs run what stands there now"]


@pytest.mark.slow
def test_another_environment_or_folder_starts_cold(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    server = servers.server("json")
    assert is_warm(servers.job("pass", server, "same", environment={**os.environ, "CUDA_VISIBLE_DEVICES": "1"}))
    assert not is_warm(servers.job("pass", server, "other", environment={**os.environ, "OMP_NUM_THREADS": "77"}))
    monkeypatch.chdir(servers.place)
    assert not is_warm(servers.job("pass", server, "moved", environment={**os.environ, "PYTHONPATH": "/"}))
    assert len(server.take_notes()) == 2


@pytest.mark.slow
def test_what_the_server_itself_prints_is_kept_and_an_empty_file_is_not(servers: Servers) -> None:
    quiet = servers.server("json")
    quiet.close()
    assert not (servers.place / fork_server.LOG).exists()
    loud = servers.server("this")
    loud.close()
    assert "Zen" in (servers.place / fork_server.LOG).read_text()


PARENT = """
import os, sys, time
from pathlib import Path
from tvo_cli.sweep.fork_server import ForkServer
from tvo_cli.sweep.job_process import JobProcess
place = Path({place!r})
server = ForkServer(["json"], os.environ, place)
while server.is_loading():
    time.sleep(0.05)
child = JobProcess({words!r}, place / "job.log", os.environ, title="t", grace=0.5, timeout=None, server=server)
print(server.pid, child._supervisor.pid, child.pid, type(child._supervisor).__name__, flush=True)
time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True], ids=["sweep", "sweep and supervisor"])
def test_kill_9_of_the_sweep_ends_server_supervisor_and_job(tmp_path: Path, stopped: bool) -> None:
    program = PARENT.format(place=str(tmp_path), words=[*RUN_TEXT, DEAF])
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    *pids, kind = parent.stdout.readline().split()
    server, supervisor, job = map(int, pids)
    assert kind == "ForkedProcess"
    until(lambda: "deaf" in (tmp_path / "job.log").read_text())
    if stopped:
        os.kill(supervisor, signal.SIGSTOP)  # it never gets to say anything
    parent.kill()
    parent.wait()
    parent.stdout.close()
    if stopped:
        os.kill(supervisor, signal.SIGKILL)
    until(lambda: not any(map(is_running, (server, supervisor, job))), 10)


DRAWS = "import random, numpy, torch; random.random(); numpy.random.rand(); torch.rand(1)"
RANDOM = """
import json, random, numpy, torch
drawn = [random.random(), float(numpy.random.rand()), float(torch.rand(1))]
print("facts", json.dumps({"drawn": drawn, "threads": torch.get_num_threads()}))
"""


@pytest.mark.slow
def test_forked_jobs_draw_apart_though_an_import_has_drawn_and_have_the_threads_of_a_cold_start(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (servers.place / "draws.py").write_text(DRAWS)
    monkeypatch.setenv("PYTHONPATH", str(servers.place))
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    server = servers.server("draws", environment=environment)
    jobs = [servers.job(RANDOM, server, str(n), environment=environment) for n in range(2)]
    assert all(map(is_warm, jobs)), server.take_notes()
    [first, second], cold = map(facts, jobs), facts(servers.job(RANDOM, None, "cold", environment=environment))
    assert all(one != other for one, other in zip(first["drawn"], second["drawn"], strict=True))
    assert first["threads"] == cold["threads"] == 2
