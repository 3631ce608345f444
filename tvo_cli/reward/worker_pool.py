"""The pool of worker processes that judge rows, each within a deadline: what takes longer is killed with its worker.

The deadline is processor time of the child, which the kernel counts, so that a busy machine changes no verdict; a
limit in wall time far above it ends a child that only waits. A row that ran out of time is tried once more alone, and
is remembered if it runs out again.

A row that has taken a quarter of its deadline may be a bomb: another child is then started for the rows behind it, so
that a file of bombs takes rows × deadline ÷ workers and not a start more for each.

The children are fresh interpreters, not forks: no thread, lock or gigabyte of the trainer is in them. One
thread, which lives as long as the pool, starts them: Linux ends a child with the thread that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tvo_cli.reward.worker_sandbox import OUT_OF_MEMORY

START_SECONDS = 120.0  # for a child to import math-verify on a busy machine
ATTEMPTS_TO_START = 3
PATIENCE = 20.0  # seconds of wall time for each second of the deadline
REMEMBERED = 10_000  # rows that ran out of time twice; a policy may write the same one again and again
OUT_OF_TIME = (-signal.SIGPROF, -signal.SIGXCPU)  # exit codes of a child that the kernel ended for its time
LATE = 0.25  # of the deadline: then a child is likely to be killed
SOURCE = str(Path(__file__).resolve().parents[2])
BOOTSTRAP = (  # the parent's own tvo_cli, whichever else is installed; its folder shall not hide the standard library
    "import sys; sys.path.insert(0, sys.argv[1]); import tvo_cli; sys.path.append(sys.path.pop(0)); "
)
PROGRAM = BOOTSTRAP + "from tvo_cli.reward.worker_process import serve_rows; serve_rows(*sys.argv[2:])"

Finding = dict[str, Any]


class WorkerHandle:
    """One process, the row it works on, and until when."""

    def __init__(self, megabytes: int, program: str = "") -> None:
        environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", program or PROGRAM, SOURCE, str(os.getpid()), str(megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # a Ctrl-C at the terminal is for the trainer, which then ends its children
            env=environment,
        )
        self.row: int | None = None
        self.ready = False
        self.served = 0
        self.late = self.until = time.monotonic() + START_SECONDS
        self._rest = b""

    def send(self, row: int, request: Mapping[str, Any], deadline: float, patience: float) -> None:
        """Give it a row; a child that is gone is noticed when its answer is read."""
        now = time.monotonic()
        self.row, self.late, self.until = row, now + LATE * deadline, now + patience * deadline
        data = json.dumps({**request, "row": row, "deadline": deadline}).encode("ascii") + b"\n"
        with contextlib.suppress(BrokenPipeError):
            self._input.write(data)
            self._input.flush()

    def receive(self) -> list[Any] | None:
        """The messages that have come whole; None when the child is gone."""
        data = os.read(self.output, 1 << 16)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    @property
    def cause(self) -> str:
        """Why it ended by itself."""
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "crash"
        if code in OUT_OF_TIME:
            return "timeout"
        return "memory" if code == OUT_OF_MEMORY else "crash"

    def kill(self) -> None:
        """End it now, and leave no zombie."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self.process.wait()

    @property
    def output(self) -> int:
        """The descriptor its findings come from."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    @property
    def _input(self) -> Any:
        return self.process.stdin


class WorkerPool:
    """Judges rows in at most `workers` children, started when first needed. Any thread may call it."""

    def __init__(self, workers: int, deadline: float, megabytes: int, patience: float = PATIENCE) -> None:
        self.workers, self.deadline, self.megabytes, self.patience = workers, deadline, megabytes, patience
        self._hopeless: set[str] = set()
        self._children: list[WorkerHandle] = []
        self._lock = threading.Lock()
        self._starter: ThreadPoolExecutor | None = None
        self._owner = os.getpid()

    @property
    def pids(self) -> tuple[int, ...]:
        """The children that live now."""
        return tuple(child.process.pid for child in self._children)

    def judge(self, requests: Sequence[Mapping[str, Any]]) -> list[Finding]:
        """One finding a request, in their order; a row that breaks its child is "timeout", "memory" or "crash"."""
        if not requests:
            return []
        with self._lock:
            self._after_fork()
            asked = {_key_of_pool_request(request): request for request in requests}  # equal rows are judged once
            found = {key: _failed_finding(0, "timeout") for key in asked if key in self._hopeless}
            fresh = [key for key in asked if key not in found]
            found |= zip(fresh, self._run([asked[key] for key in fresh]), strict=True)
            for key in fresh:
                if found[key]["reason"] == "timeout":
                    found[key] = self._alone(key, asked[key])
            return [{**found[_key_of_pool_request(request)], "row": row} for row, request in enumerate(requests)]

    def _run(self, requests: Sequence[Mapping[str, Any]]) -> list[Finding]:
        """All of them side by side; whatever happens, no child stays at work and none too many stay."""
        try:
            return _PoolRound(self, requests).run()
        finally:
            self.retire([child for child in self._children if child.row is not None])
            self.retire(self._children[self.workers :])

    def _alone(self, key: str, request: Mapping[str, Any]) -> Finding:
        """A row that ran out of time once more, with no other row at work."""
        (finding,) = self._run([request])
        if finding["reason"] == "timeout" and len(self._hopeless) < REMEMBERED:
            self._hopeless.add(key)
        return finding

    def start(self) -> WorkerHandle:
        """A new child, from the starter's thread."""
        if self._starter is None:
            self._starter = ThreadPoolExecutor(1, thread_name_prefix="tvo-grader")
        child = self._starter.submit(WorkerHandle, self.megabytes).result()
        self._children.append(child)
        return child

    @property
    def children(self) -> list[WorkerHandle]:
        """The living children."""
        return self._children

    def retire(self, children: Sequence[WorkerHandle]) -> None:
        """Kill these."""
        for child in children:
            child.kill()
            self._children.remove(child)

    def close(self) -> None:
        """Kill every child; the pool may be used again."""
        with self._lock:
            self._after_fork()
            self.retire(list(self._children))
            if self._starter is not None:
                self._starter.shutdown(wait=False)
                self._starter = None

    def _after_fork(self) -> None:
        """In a fork of the trainer the children belong to the other process: forget them."""
        if self._owner != os.getpid():
            self._children, self._starter, self._owner = [], None, os.getpid()


def _key_of_pool_request(request: Mapping[str, Any]) -> str:
    return json.dumps(request)  # built alike, so in one order; keys of mixed types cannot be sorted


def _failed_finding(row: int, reason: str) -> Finding:
    return {"row": row, "correct": False, "reason": reason, "failed": True}


class _PoolRound:
    """The rows of one call on their way through the children."""

    def __init__(self, pool: WorkerPool, requests: Sequence[Mapping[str, Any]]) -> None:
        self.pool, self.requests = pool, requests
        self.waiting = deque(range(len(requests)))
        self.findings: dict[int, Finding] = {}
        self.retried: set[int] = set()
        self.failed_starts = 0

    def run(self) -> list[Finding]:
        while len(self.findings) < len(self.requests):
            self._staff()
            self._assign()
            self._collect()
            self._expire()
        return [self.findings[row] for row in range(len(self.requests))]

    def _staff(self) -> None:
        """As many children as there are rows left, up to the limit, and one more for each that is late."""
        if self.failed_starts >= ATTEMPTS_TO_START:
            raise RuntimeError("the grader's child processes end before they are ready")
        now = time.monotonic()
        late = sum(now >= child.late for child in self._busy())
        while len(self.pool.children) < min(self.pool.workers + late, len(self._busy()) + len(self.waiting)):
            self.pool.start()

    def _busy(self) -> list[WorkerHandle]:
        return [child for child in self.pool.children if child.row is not None]

    def _assign(self) -> None:
        free = [child for child in self.pool.children if child.ready and child.row is None]
        for child in free[: self.pool.workers - len(self._busy())]:
            if self.waiting:
                row = self.waiting.popleft()
                child.send(row, self.requests[row], self.pool.deadline, self.pool.patience)

    def _next_event(self, active: Sequence[WorkerHandle]) -> float:
        """Seconds until a child is late or at its deadline."""
        now = time.monotonic()
        late = [child.late for child in active if self.waiting and child.late > now]
        return max(0.0, min([*late, *(child.until for child in active)], default=now) - now)

    def _collect(self) -> None:
        """Wait for the first message or the first deadline."""
        active = [child for child in self.pool.children if child.row is not None or not child.ready]
        with selectors.DefaultSelector() as selector:
            for child in active:
                selector.register(child.output, selectors.EVENT_READ, child)
            for key, _ in selector.select(self._next_event(active)):
                self._hear(key.data)

    def _hear(self, child: WorkerHandle) -> None:
        messages = child.receive()
        if messages is None:
            self._gone(child, child.cause)
            return
        for message in messages:
            if not child.ready:
                child.ready = True
            elif message["row"] == child.row:
                self._finish(child, message)

    def _finish(self, child: WorkerHandle, message: Finding) -> None:
        row, child.row = message["row"], None
        if message["reason"] == "memory":
            child.row = row
            self._gone(child, "memory")
            return
        child.served += 1
        self.findings[row] = message

    def _expire(self) -> None:
        now = time.monotonic()
        for child in list(self.pool.children):
            if (child.row is not None or not child.ready) and now >= child.until:
                self._gone(child, "timeout")

    def _gone(self, child: WorkerHandle, reason: str) -> None:
        """A child that has served others may be worn out by them: then the row gets a fresh child."""
        row = child.row
        self.pool.retire([child])
        if row is None:
            self.failed_starts += not child.ready
        elif reason != "timeout" and child.served and row not in self.retried:
            self.retried.add(row)
            self.waiting.appendleft(row)
        else:
            self.findings[row] = _failed_finding(row, reason)


MOST_WORKERS = 8


def processors_for_workers() -> int:
    """Those this process may use; macOS knows only how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
