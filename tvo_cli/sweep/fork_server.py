"""The fork server as the sweep sees it: started once, asked for each job, replaced when the program's files change."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tvo_cli.sweep import fork_server_process
from tvo_cli.sweep.forked_process import ForkedProcess
from tvo_cli.sweep.program_files import changed_program_files, state_of_program_files
from tvo_cli.sweep.supervisor_process import PR_SET_CHILD_SUBREAPER, prctl

LOG = "fork_server.log"
OF_EACH_SLOT = "CUDA_VISIBLE_DEVICES"  # read when CUDA is first used, so not by an import
PATIENCE = 600.0  # seconds that the imports may take
ANSWER = 60.0  # seconds that a fork may take


def can_fork_jobs() -> bool:
    """Return whether this machine and process may have a fork server: Linux, and exit codes that are not discarded."""
    return sys.platform.startswith("linux") and signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN


class ForkServer:
    """A process that has imported `modules`, and forks `python -m MODULE …` from itself; else jobs start cold.

    `environment`: that of the jobs, and `folder` where the server's own output is kept if it has any.
    """

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._modules, self._environment, self._log = list(modules), shared_environment(environment), folder / LOG
        self._cwd = Path.cwd()
        self._notes: list[str] = []
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._launch()

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def is_loading(self) -> bool:
        """Return whether a job should wait for the imports, anew where the program's files have changed."""
        if self._process is None:
            return False
        changed = changed_program_files(self._files, state_of_program_files())
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            self._notes.append(f"{changed[0]}{more} has changed: further jobs run what stands there now")
            self._end()
            self._launch()
        if self._loading:
            self._hear_whether_ready()
        return self._loading

    def fork_job(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        grace: float,
        timeout: float | None,
    ) -> ForkedProcess | None:
        """Fork a supervisor and its job; return the supervisor, None where the job has to start cold.

        `descriptors`: the supervisor's end of its socket, and the job's log.
        """
        if self._process is None or self._loading:
            return None
        if not self._is_startable(words, environment):
            self._notes.append("warm starts: the sweep's environment or working folder has changed; a job starts cold")
            return None
        request = fork_server_process.JobRequest(list(words), dict(environment), grace, timeout or 0.0)
        try:
            fork_server_process.send_request(self._socket, request, descriptors)
            said = self._socket.recv(32)
        except OSError:  # it has ended, or takes longer than ANSWER
            said = b""
        pid = int(said or fork_server_process.FAILED)
        if pid == fork_server_process.FAILED:
            self._give_up("this machine forks no more processes" if said else self._how_it_ended())
            return None
        return ForkedProcess(pid)

    def take_notes(self) -> list[str]:
        """Return what the user should be told since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """End the server; its jobs do not depend on it."""
        self._end()
        prctl(PR_SET_CHILD_SUBREAPER, 0)
        with suppress(OSError):
            if not self._log.stat().st_size:
                self._log.unlink()

    @property
    def pid(self) -> int | None:
        """The server's process number; None when there is none any more."""
        return None if self._process is None else self._process.pid

    def _launch(self) -> None:
        self._files = state_of_program_files()  # before it reads them
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(ANSWER)
        line = [sys.executable, "-m", fork_server_process.__name__, str(theirs.fileno()), *self._modules]
        with theirs, self._log.open("ab") as output:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._loading, self._begun = True, time.monotonic()

    def _hear_whether_ready(self) -> None:
        if not select.select([self._socket], [], [], 0)[0]:
            if time.monotonic() > self._begun + PATIENCE:
                self._give_up(f"not ready after {PATIENCE:g} s")
            return
        with suppress(OSError):
            said = self._socket.recv(4096).decode("utf-8", "replace")
            self._loading = False
            if said != fork_server_process.READY:
                self._give_up(said or self._how_it_ended())

    def _is_startable(self, words: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Return whether a cold start by these words would have loaded the same, in the same surroundings."""
        same = shared_environment(environment) == self._environment and Path.cwd() == self._cwd
        return same and list(words[:2]) == [sys.executable, "-m"] and len(words) > 2

    def _how_it_ended(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "no answer"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"left with code {code}"

    def _give_up(self, reason: str) -> None:
        self._end()
        self._notes.append(f"warm starts: {' '.join(reason.split())}; further jobs start cold")

    def _end(self) -> None:
        if self._process is not None:
            self._socket.close()
            self._process.kill()
            self._process.wait()
        self._process, self._loading = None, False


def shared_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a job's environment that imports may read: the same for every slot."""
    shared = {name: value for name, value in environment.items() if name != OF_EACH_SLOT}
    return {**shared, "PYTHONUNBUFFERED": "1"}  # as every job has it
