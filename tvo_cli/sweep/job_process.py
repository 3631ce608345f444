"""The process of one job attempt, as the sweep sees it: started under a supervisor, stopped by closing its socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from tvo_cli.sweep import supervisor_process
from tvo_cli.sweep.fork_server import ForkServer
from tvo_cli.sweep.fork_server_process import GO
from tvo_cli.sweep.torchrun import exit_code_behind_torchrun
from tvo_cli.tracking import run_status

SAVED, INTERRUPTED, USER = 75, 130, 2
MARGIN = 10.0  # seconds a supervisor gets beyond the job's grace before it is ended itself
TAIL = 8192  # bytes of a log that are searched for the reason of a failure


class JobOutcome(NamedTuple):
    """The outcome of a job attempt."""

    state: str  # finished, interrupted, failed
    code: int
    reason: str
    retryable: bool  # whether another attempt may succeed


class Supervisor(Protocol):
    """A job's supervisor as the sweep knows it: a `subprocess.Popen`, or a forked process."""

    @property
    def pid(self) -> int:
        """Its process number."""

    def poll(self) -> int | None:
        """Return its exit code, -n for signal n; None while it runs."""

    def kill(self) -> None:
        """End it at once."""


class JobProcess:
    """The process of a running job attempt: forked by a server that has loaded the program, else started cold."""

    def __init__(
        self,
        words: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        *,
        title: str,
        grace: float,
        timeout: float | None,
        by_torchrun: bool = False,
        server: ForkServer | None = None,
    ) -> None:
        self.log, self.begun, self._grace, self._timeout = log, time.monotonic(), grace, timeout
        self._by_torchrun, self._began = by_torchrun, run_status.utc_now()
        self._asked: float | None = None
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**environment, "PYTHONUNBUFFERED": "1"}
        ours, theirs = socket.socketpair()
        with log.open("ab") as output, theirs:
            output.write(f"$ {title}\n".encode())
            output.flush()
            self._start = output.tell()
            descriptors = [theirs.fileno(), output.fileno()]
            forked = server and server.fork_job(words, environment, descriptors, grace, timeout)
            if forked:
                ours.sendall(GO)
            self._supervisor: Supervisor = forked or _start_supervisor(words, environment, descriptors, grace, timeout)
        self._held: socket.socket | None = ours
        self.pid = _receive_job_pid(ours)

    def stop(self) -> None:
        """Let go: the supervisor asks the job to save, and ends it after the grace."""
        if self._held is not None:
            self._held.close()
            self._held, self._asked = None, time.monotonic()

    def kill(self) -> None:
        """No more grace."""
        self.stop()
        if self.pid:
            _kill_job_process_group(self.pid)

    def poll(self) -> JobOutcome | None:
        """How it ended; None while it runs."""
        code = self._supervisor.poll()
        if code is None:
            if self._asked is not None and time.monotonic() > self._asked + self._grace + MARGIN:
                self.kill()
                self._supervisor.kill()
            return None
        if code < 0:  # the supervisor itself was killed; on Linux its job dies with it
            self.kill()
        stopped = self._asked is not None
        self.stop()
        return outcome_of_exit_code(self._own_code(128 - code if code < 0 else code), self, stopped)

    def _own_code(self, code: int) -> int:
        if not self._by_torchrun:
            return code
        status = run_status.read_status(self.log.parent)
        return exit_code_behind_torchrun(code, status, self._began, self._end_of_log())

    def _end_of_log(self) -> str:
        with self.log.open("rb") as file:
            file.seek(max(self._start, file.seek(0, os.SEEK_END) - TAIL))
            return file.read().decode("utf-8", "replace")

    def last_words(self) -> str:
        """The reason in the log: the last line that begins with `tvo:`, else the last line there is."""
        lines = [line.strip() for line in self._end_of_log().splitlines() if line.strip()]
        ours = [line.removeprefix("tvo:").strip() for line in lines if line.startswith("tvo:")]
        return (ours or lines or [""])[-1][:300]

    @property
    def timeout(self) -> float | None:
        """Seconds it was given."""
        return self._timeout


def _start_supervisor(
    words: Sequence[str],
    environment: Mapping[str, str],
    descriptors: Sequence[int],
    grace: float,
    timeout: float | None,
) -> subprocess.Popen[bytes]:
    """Start a job cold: a supervisor of its own, which starts it by its words."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor_process.__file__, str(grace), str(timeout or 0.0), *words],
        stdin=descriptors[0],
        stdout=descriptors[1],
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


def outcome_of_exit_code(code: int, child: JobProcess, stopped: bool) -> JobOutcome:
    """Return the outcome that an exit code of the supervisor means."""
    if code == 0:
        return JobOutcome(run_status.FINISHED, 0, "", False)
    if code in (SAVED, INTERRUPTED):
        return JobOutcome(run_status.INTERRUPTED, code, child.last_words(), not stopped)
    if stopped:
        return JobOutcome(run_status.INTERRUPTED, code, "stopped before it could save", False)
    if code == supervisor_process.TIMED_OUT and child.timeout:
        return JobOutcome(run_status.FAILED, code, f"not done after {child.timeout:g} s (hydra.launcher.timeout)", True)
    if code > 128:
        return JobOutcome(run_status.FAILED, code, f"killed by {_signal_that_ended_job(code - 128)}", True)
    return JobOutcome(run_status.FAILED, code, child.last_words() or f"left with code {code}", code != USER)


def _signal_that_ended_job(number: int) -> str:
    """The signal by which a job's process says that it was ended."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name


def _receive_job_pid(supervisor_end: socket.socket) -> int | None:
    """Receive the job's process number from its supervisor; None when the job could not be started."""
    supervisor_end.settimeout(60.0)
    try:
        said = supervisor_end.recv(32).decode().strip()
    except OSError:
        return None
    return int(said) if said else None


def _kill_job_process_group(pid: int) -> None:
    """From the sweep, kill a job with all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
