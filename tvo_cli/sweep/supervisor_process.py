"""The supervisor of one job: a process between the sweep and the job, of the standard library alone.

Run as a file: `python supervisor_process.py GRACE TIMEOUT WORDS…`, in a session of its own, its standard input one
end of a socket whose other end the sweep holds; or forked, with its job, by fork_server_process.py. It says the job's
process number there. When the other end closes (the sweep asks for a stop, or is dead, by kill -9 too), or a signal
arrives, or TIMEOUT seconds are over (0: never), the job gets SIGTERM (the next of ASK where that is ignored), GRACE
seconds to save, then SIGKILL with everything it has started. A job that ends by itself leaves nothing behind either.
Exit code: the job's, 128 + n for signal n, 124 after TIMEOUT.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TIMED_OUT = 124
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
ASK = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)  # to save; the job takes any of them as such


class SupervisedJob(Protocol):
    """A job as its supervisor knows it: a `subprocess.Popen`, or a forked process."""

    pid: int

    @property
    def returncode(self) -> Any:
        """Its exit code once it has ended, -n for signal n."""

    def poll(self) -> int | None:
        """Return its exit code, -n for signal n; None while it runs."""

    def wait(self) -> int:
        """Wait for its end."""

    def send_signal(self, number: int, /) -> None:
        """Send it a signal, unless it has ended."""


class StopRequests(NamedTuple):
    """The signals by which a supervisor is asked for a stop."""

    heard: list[signal.Signals]  # those not ignored when the sweep began; ignored ones stay so, for the job too
    asked: socket.socket  # can be read once one has arrived
    told: socket.socket  # its other end


def prctl(option: int, value: int) -> int:
    """Call prctl(2) on Linux, 0 when it has worked; elsewhere the socket alone tells of the sweep's death."""
    return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) if sys.platform.startswith("linux") else -1


def start_and_supervise_job(sweep: socket.socket, grace: float, timeout: float, words: list[str]) -> int:
    """Start the job by its words and run it to its end; return the supervisor's exit code."""
    stops = listen_for_stop_requests()
    job = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=lambda: die_with_supervisor(stops.heard)
    )
    return supervise_job(job, sweep, stops, grace, timeout)


def listen_for_stop_requests() -> StopRequests:
    """Hear signals from here on, and become the parent of whatever the job leaves behind."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    heard = [number for number in STOP if signal.getsignal(number) is not signal.SIG_IGN]
    asked, told = socket.socketpair()
    told.setblocking(False)
    for number in heard:
        signal.signal(number, lambda *_: _send_to_sweep(told, "!"))
    return StopRequests(heard, asked, told)


def supervise_job(job: SupervisedJob, sweep: socket.socket, stops: StopRequests, grace: float, timeout: float) -> int:
    """Run a started job to its end; return the supervisor's exit code."""
    _send_to_sweep(sweep, f"{job.pid}\n")
    ask = next((number for number in ASK if number in stops.heard), signal.SIGTERM)
    end = time.monotonic() + timeout if timeout > 0 else None
    stopped = _wait_for_job(job, [sweep, stops.asked], end)
    if stopped:
        _signal_job(job, ask)  # to the job alone: its graders must live for it to save a whole step
        _wait_for_job(job, [], time.monotonic() + grace)
    _kill_what_job_left(job)
    if stopped == "timeout":
        return TIMED_OUT
    code: int = job.returncode
    return 128 - code if code < 0 else code


def _wait_for_job(job: SupervisedJob, watched: list[socket.socket], end: float | None) -> str:
    """Wait for the job: return "" when it has ended, "asked" or "timeout" when something else comes first."""
    while job.poll() is None:
        ready, _, _ = select.select(watched, [], [], 0.1)
        if ready and any(not one.recv(64) or one is not watched[0] for one in ready):
            return "asked"
        if end is not None and time.monotonic() >= end:
            return "timeout"
    return ""


def _kill_what_job_left(job: SupervisedJob) -> None:
    """Send SIGKILL to the job's group, and to every descendant that has left the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    for _ in range(20):
        left = _child_process_ids()
        if not left:
            return
        for pid in left:
            _kill_child(pid)
        time.sleep(0.01)


def _child_process_ids() -> list[int]:
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(pid) for pid in listed.split()]


def _kill_child(pid: int) -> None:
    """From the supervisor, kill the job that is its child, and take its exit code."""
    with suppress(ProcessLookupError, ChildProcessError, PermissionError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)


def _signal_job(job: SupervisedJob, number: signal.Signals) -> None:
    """In the supervisor: pass a signal on to the job, which may have ended."""
    with suppress(ProcessLookupError):
        job.send_signal(number)


def _send_to_sweep(where: socket.socket, text: str) -> None:
    with suppress(OSError):
        where.send(text.encode())


def die_with_supervisor(heard: list[signal.Signals]) -> None:
    """Prepare the job, before it starts: default signals, and SIGKILL when the supervisor dies."""
    for number in heard:
        signal.signal(number, signal.SIG_DFL)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(start_and_supervise_job(socket.socket(fileno=0), float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
