"""Child processes that judge rows, each row within a deadline: what takes longer is killed with its child.

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
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tvo_cli.reward.sandbox import OUT_OF_MEMORY

START_SECONDS = 120.0  # for a child to import math-verify on a busy machine
ATTEMPTS_TO_START = 3
LATE = 0.25  # of the deadline: then a child is likely to be killed
SOURCE = str(Path(__file__).resolve().parents[2])
PROGRAM = (  # the parent's own tvo_cli, whichever else is installed; its folder shall not hide the standard library
    "import sys; sys.path.insert(0, sys.argv[1]); import tvo_cli; sys.path.append(sys.path.pop(0)); "
    "from tvo_cli.reward.child import main; main(*sys.argv[2:])"
)

Finding = dict[str, Any]


class Child:
    """One process, the row it works on, and until when."""

    def __init__(self, megabytes: int) -> None:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, SOURCE, str(os.getpid()), str(megabytes)],
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

    def send(self, row: int, request: Mapping[str, Any], deadline: float) -> None:
        """Give it a row; a child that is gone is noticed when its answer is read."""
        now = time.monotonic()
        self.row, self.late, self.until = row, now + LATE * deadline, now + deadline
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


class Pool:
    """Judges rows in at most `workers` children, started when first needed. Any thread may call it."""

    def __init__(self, workers: int, deadline: float, megabytes: int) -> None:
        self.workers, self.deadline, self.megabytes = workers, deadline, megabytes
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._starter: ThreadPoolExecutor | None = None
        self._owner = os.getpid()

    @property
    def pids(self) -> tuple[int, ...]:
        """The children that live now."""
        return tuple(child.process.pid for child in self._children)

    def judge(self, requests: Sequence[Mapping[str, Any]]) -> list[Finding]:
        """One finding a request, in their order; a row that breaks its child is "timeout" or "crash"."""
        if not requests:
            return []
        with self._lock:
            self._after_fork()
            round_ = _Round(self, requests)
            try:
                return round_.run()
            finally:
                self.retire([child for child in self._children if child.row is not None])
                self.retire(self._children[self.workers :])

    def start(self) -> Child:
        """A new child, from the starter's thread."""
        if self._starter is None:
            self._starter = ThreadPoolExecutor(1, thread_name_prefix="tvo-grader")
        child = self._starter.submit(Child, self.megabytes).result()
        self._children.append(child)
        return child

    @property
    def children(self) -> list[Child]:
        """The living children."""
        return self._children

    def retire(self, children: Sequence[Child]) -> None:
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


class _Round:
    """The rows of one call on their way through the children."""

    def __init__(self, pool: Pool, requests: Sequence[Mapping[str, Any]]) -> None:
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

    def _busy(self) -> list[Child]:
        return [child for child in self.pool.children if child.row is not None]

    def _assign(self) -> None:
        free = [child for child in self.pool.children if child.ready and child.row is None]
        for child in free[: self.pool.workers - len(self._busy())]:
            if self.waiting:
                row = self.waiting.popleft()
                child.send(row, self.requests[row], self.pool.deadline)

    def _next_event(self, active: Sequence[Child]) -> float:
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

    def _hear(self, child: Child) -> None:
        messages = child.receive()
        if messages is None:
            self._gone(child, child.cause)
            return
        for message in messages:
            if not child.ready:
                child.ready = True
            elif message["row"] == child.row:
                self._finish(child, message)

    def _finish(self, child: Child, message: Finding) -> None:
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

    def _gone(self, child: Child, reason: str) -> None:
        """A child that has served others may be worn out by them: then the row gets a fresh child."""
        row = child.row
        self.pool.retire([child])
        if row is None:
            self.failed_starts += not child.ready
        elif reason != "timeout" and child.served and row not in self.retried:
            self.retried.add(row)
            self.waiting.appendleft(row)
        else:
            self.findings[row] = {"row": row, "correct": False, "reason": reason, "failed": True}
