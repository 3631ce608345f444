"""The runner of a sweep's jobs over its slots: each in a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from tvo_cli.redaction import without_secrets
from tvo_cli.signals import signals_not_ignored
from tvo_cli.sweep.fork_server import ForkServer
from tvo_cli.sweep.job_process import JobOutcome, JobProcess
from tvo_cli.sweep.progress_table import ProgressTable
from tvo_cli.sweep.slots import Slot
from tvo_cli.sweep.sweep_index import WAITING, SweepIndex, SweepJob
from tvo_cli.tracking import run_status

JOB_LOG = "job.log"
PAUSE = 0.1  # seconds between two looks at the jobs
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


@dataclass(frozen=True)
class RunnerSettings:
    """The settings of every job's launch: retries, timeout, grace."""

    retries: int
    timeout: float | None
    grace: float


class SweepRunner:
    """The runner of one command's jobs: waiting, running, ended."""

    def __init__(
        self,
        index: SweepIndex,
        jobs: Sequence[SweepJob],
        slots: Sequence[Slot],
        settings: RunnerSettings,
        table: ProgressTable,
        server: ForkServer | None = None,
    ) -> None:
        self._index, self._settings, self._table, self._server = index, settings, table, server
        self._waiting = deque(job for job in jobs if job.state == WAITING)
        self._free = list(slots)
        self._running: dict[str, tuple[SweepJob, Slot, JobProcess]] = {}
        self._signals = 0
        self._unsaid = ""

    @property
    def stopped(self) -> bool:
        """Whether a signal has ended the sweep."""
        return self._signals > 0

    def run(self) -> None:
        """Until every job has ended, or a signal has stopped them all."""
        with self._listening():
            try:
                while self._running or (self._waiting and not self.stopped):
                    self._collect()
                    if not self.stopped:
                        self._start()
                    self._say_what_was_heard()
                    self._table.tick()
                    time.sleep(PAUSE)
            finally:
                self._say_what_was_heard()
                self._abandon()

    def _say_what_was_heard(self) -> None:
        """Not in the handler: a signal may come in the middle of another write."""
        if self._unsaid:
            text, self._unsaid = self._unsaid, ""
            self._table.say(text)
        for note in self._server.take_notes() if self._server is not None else ():
            self._table.say(note)

    def _start(self) -> None:
        """Fill the free slots; a job whose folder somebody else is running in waits for its end."""
        self._table.is_loading = False
        for _ in range(len(self._waiting)):
            if not self._free:
                return
            job = self._waiting.popleft()
            if run_status.is_running(self._index.folder / job.folder):
                self._hold(job)
            elif self._server is not None and job.processes == 1 and self._server.is_loading():
                self._waiting.appendleft(job)
                self._table.is_loading = True
                return
            else:
                self._launch(job, self._free.pop(0))

    def _hold(self, job: SweepJob) -> None:
        self._waiting.append(job)
        reason = "another process is running it"
        if job.reason != reason:
            job.reason = reason
            self._changed(job)

    def _launch(self, job: SweepJob, slot: Slot) -> None:
        folder = self._index.folder / job.folder
        if not job.anew and run_status.is_run_finished(folder, job.fingerprint):  # meanwhile, by another process
            job.state, job.before, job.reason = run_status.FINISHED, True, ""
            self._free.insert(0, slot)
            self._changed(job)
            return
        child = JobProcess(
            job.words,
            folder / JOB_LOG,
            slot.environment(os.environ),
            title=job.command,
            grace=self._settings.grace,
            timeout=self._settings.timeout,
            by_torchrun=job.processes > 1,
            server=self._server if job.processes == 1 else None,
        )
        job.attempts += 1
        job.state, job.pid, job.slot, job.reason, job.code = run_status.RUNNING, child.pid, slot.number, "", None
        self._running[job.fingerprint] = job, slot, child
        if self.stopped:  # the signal came while the job was being started, and reached only the others
            child.stop()
        self._changed(job)

    def _collect(self) -> None:
        for job, slot, child in list(self._running.values()):
            found = child.poll()
            if found is not None:
                del self._running[job.fingerprint]
                self._free.append(slot)
                self._ended(job, found, time.monotonic() - child.begun)

    def _ended(self, job: SweepJob, found: JobOutcome, seconds: float) -> None:
        job.state, job.code, job.pid, job.slot = found.state, found.code, None, None
        job.reason = without_secrets(found.reason)  # the job's last words, which may quote a key
        job.seconds = round(seconds, 1)
        if found.state != run_status.FINISHED:
            facts = {"fingerprint": job.fingerprint, "command": job.command, "overrides": job.overrides}
            run_status.write_end_of_dead_run(
                self._index.folder / job.folder, found.state, found.code, found.reason, facts
            )
        self._changed(job)
        if found.retryable and not self.stopped and job.attempts <= self._settings.retries:
            job.state = WAITING
            self._waiting.append(job)
            self._changed(job)

    def _changed(self, job: SweepJob) -> None:
        self._index.save()
        self._table.changed(job)

    def _abandon(self) -> None:
        """On the way out, by an error of ours too, no job stays behind."""
        for _, _, child in self._running.values():
            child.stop()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """The first signal lets every job save; the second ends them at once."""

        def heard(number: int, frame: FrameType | None) -> None:
            self._signals += 1
            for _, _, child in self._running.values():
                child.stop() if self._signals == 1 else child.kill()
            if self._signals == 1:
                name = signal.Signals(number).name
                self._unsaid = (
                    f"{name}: {len(self._running)} running jobs save and stop; a second signal ends them at once"
                )

        before = {number: signal.signal(number, heard) for number in signals_not_ignored(STOP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
