"""The index of a sweep (sweep.json): every job by its fingerprint, written anew as states change."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking import run_status
from tvo_cli.tracking.atomic_files import write_json_atomically

LOCK = ".sweep.lock"
WAITING = "waiting"


@dataclass
class SweepJob:
    """A job in the index of a sweep, and its state."""

    fingerprint: str
    folder: str  # below the sweep's folder
    overrides: list[str]
    command: str  # what reruns it alone
    steps: int | None = None  # planned, of a training
    processes: int = 1
    state: str = WAITING  # waiting, running, finished, interrupted, failed
    before: bool = False  # was done when this command came
    anew: bool = False  # resume=never: begins anew, also where it is done
    attempts: int = 0  # of this command
    code: int | None = None
    reason: str = ""
    pid: int | None = None
    slot: int | None = None
    seconds: float | None = None  # of the last attempt
    words: list[str] = field(default_factory=list, repr=False)  # what starts it; never written, it may hold secrets


class SweepIndex:
    """The index of a sweep's folder: its jobs, also those of earlier commands."""

    def __init__(self, folder: Path, command: str = "") -> None:
        self.folder, self.command = folder, command
        self.jobs: dict[str, SweepJob] = {job.fingerprint: job for job in _read_sweep_json(folder)}

    def enter(self, fingerprint: str, wanted: str) -> tuple[str, bool]:
        """(folder, done before) for a configuration: where it was, else `wanted`, told apart when that is taken."""
        known = self.jobs.get(fingerprint)
        if known is not None and (self.folder / known.folder).is_dir():
            return known.folder, self._done(known)
        taken = {job.folder for job in self.jobs.values() if job.fingerprint != fingerprint}
        there = str(run_status.read_status(self.folder / wanted).get("fingerprint", fingerprint))
        if wanted in taken or there != fingerprint:
            wanted = f"{wanted}-{fingerprint[:6]}"
        return wanted, run_status.is_run_finished(self.folder / wanted, fingerprint)

    def job_of_same_overrides(self, overrides: Sequence[str], fingerprint: str) -> SweepJob | None:
        """Return the job of other settings that an earlier command entered for these very overrides, if this is new."""
        if fingerprint in self.jobs:
            return None
        return next((job for job in self.jobs.values() if job.overrides == list(overrides)), None)

    def _done(self, job: SweepJob) -> bool:
        """The run's own word, where there is one: a rerun by hand of the same settings counts, and one that failed."""
        own = run_status.read_status(self.folder / job.folder)
        same = own.get("fingerprint", job.fingerprint) == job.fingerprint
        return same and (own.get("state") or job.state) == run_status.FINISHED

    def add(self, job: SweepJob) -> None:
        """Take a job in, in place of what was known of its configuration."""
        self.jobs[job.fingerprint] = job

    def save(self) -> None:
        """Write the file whole."""
        content: Mapping[str, Any] = {
            "command": self.command,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "jobs": [{**asdict(job), "words": []} for job in self.jobs.values()],
        }
        write_json_atomically(self.folder / run_status.SWEEP_INDEX, content)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One sweep at a time in a folder; the lock dies with its process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                remedy = "Wait for it, or name another folder: output_dir=…"
                raise UserError("output_dir", self.folder, "this sweep is already running.", remedy) from error
            except OSError:
                pass  # a file system without locks
            yield


def _read_sweep_json(folder: Path) -> list[SweepJob]:
    path = folder / run_status.SWEEP_INDEX
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["jobs"]
        return [
            SweepJob(**{name: job[name] for name in SweepJob.__dataclass_fields__ if name in job}) for job in listed
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Remove it: jobs that are done are found again by their folders."
        raise UserError(run_status.SWEEP_INDEX, path, f"cannot be read: {error}.", remedy) from error
