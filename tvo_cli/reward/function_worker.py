"""A user's own function in a child process that lives as long as the run, and is killed at the deadline of a call.

The deadline is as the grader's: processor time of the child, and far more wall time for what only waits. A child
that was killed is started anew for the next call. Its programs end with it: they are of its process group.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.plugins.code_sources import code_fingerprint
from tvo_cli.reward.function_call import CallOutcome, FunctionRequest, request_to_json
from tvo_cli.reward.worker_pool import BOOTSTRAP, PATIENCE, START_SECONDS, WorkerHandle

PROGRAM = BOOTSTRAP + "from tvo_cli.reward.function_child import serve_calls; serve_calls(*sys.argv[2:])"
GLANCE = 1.0  # seconds between two looks at whether the child has ended: a fork of it may hold its pipe open


class FunctionWorker:
    """The worker of one function, in a child. `send` a call, then `receive` its outcome; several run side by side."""

    def __init__(self, key: str, call: str, deadline: float, patience: float = PATIENCE) -> None:
        self.key, self.name, self.deadline, self.patience = key, call, deadline, patience
        self._fingerprint = code_fingerprint(key, call)
        self._child: WorkerHandle | None = None
        self._starter: ThreadPoolExecutor | None = None  # Linux ends a child with the thread that started it
        self._owner, self._rows = os.getpid(), 0

    def start(self) -> None:
        """Have a child that has loaded the function, where there is none."""
        self._after_fork()
        self._child = self._child or self._started_child()

    def send(self, request: FunctionRequest) -> None:
        """Give it a call."""
        self.start()
        child, self._rows = self._child, request.rows
        if child is None:
            raise ValueError("it was started")
        child.send(0, {"request": request_to_json(request)}, self.deadline, self.patience)

    def receive(self) -> tuple[CallOutcome, str]:
        """The outcome of the call, and what the function printed; a child that does not answer is killed."""
        child = self._child
        if child is None:
            raise ValueError("nothing was sent")
        try:
            message = self._next_message(child)
        except BaseException:
            self.close()
            raise
        if isinstance(message, str):
            self._end_child()
            return CallOutcome([None] * self._rows, failure=self._said_of_death(message)), ""
        found = CallOutcome(message["values"], [(row, text) for row, text in message["faults"]], message["failure"])
        return found, str(message["printed"])

    def close(self) -> None:
        """End the child; the worker may be used again."""
        self._after_fork()
        self._end_child()
        if self._starter is not None:
            self._starter.shutdown(wait=False)
            self._starter = None

    def _started_child(self) -> WorkerHandle:
        """A child that has loaded the function, of the code that the run began with."""
        if code_fingerprint(self.key, self.name) != self._fingerprint:
            remedy = "Start the command again: a run has one reward."
            raise UserError(self.key, self.name, "has changed since the run began.", remedy)
        if self._starter is None:
            self._starter = ThreadPoolExecutor(1, thread_name_prefix="tvo-reward")
        child = self._child = self._starter.submit(WorkerHandle, 1, PROGRAM).result()
        child.send(0, {"key": self.key, "call": self.name}, START_SECONDS, 1.0)
        message = self._next_message(child)
        if message == "ready":
            return child
        self._end_child()
        problem = message["refused"] if isinstance(message, dict) else f"its process ended at the start ({message})."
        raise UserError(self.key, self.name, problem)

    def _next_message(self, child: WorkerHandle) -> Any:
        """What the child says; why it is gone, as a word, where it says nothing."""
        with selectors.DefaultSelector() as selector:
            selector.register(child.output, selectors.EVENT_READ)
            while True:
                left = child.until - time.monotonic()
                ready = selector.select(min(GLANCE, max(left, 0.0)))  # an answer may be there already
                messages = child.receive() if ready else None
                if messages:
                    return messages[0]
                if messages is None and (ready or _has_child_ended(child.process.pid)):
                    _kill_child_group(child)
                    return child.cause
                if left <= 0:
                    return "timeout"

    def _said_of_death(self, cause: str) -> str:
        wall = self.patience * self.deadline
        text = f"did not return within {self.deadline:g} s of processor time or {wall:g} s in all, and was killed"
        return text if cause == "timeout" else f"ended its process ({cause})"

    def _end_child(self) -> None:
        """Kill the child and what it has started."""
        if self._child is not None:
            _kill_child_group(self._child)
            self._child.kill()
            self._child = None

    def _after_fork(self) -> None:
        """In a fork of the trainer the child belongs to the other process: forget it."""
        if self._owner != os.getpid():
            self._child, self._starter, self._owner = None, None, os.getpid()


def _kill_child_group(child: WorkerHandle) -> None:
    """Kill the child of a function's worker, not waited for yet, with what it has started: its group has its number."""
    if child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)


def _has_child_ended(pid: int) -> bool:
    """Whether the child of a function's worker is a zombie; not waited for, its process group keeps its number."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
