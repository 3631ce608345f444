"""A handle on a child that was forked, with the methods of `subprocess.Popen` that supervisors and sweeps use."""

from __future__ import annotations

import os
import signal


class ForkedProcess:
    """A process that this one has forked, or become the parent of: one whose exit code waitpid(2) gives."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    @property
    def returncode(self) -> int:
        """Its exit code once it has ended, -n for signal n."""
        return self.wait()

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        code = self._wait(0)
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _wait(self, options: int) -> int | None:
        if self._code is None:
            ended, status = os.waitpid(self.pid, options)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code
