"""The status of a run (state.json), readable while it runs and after it was killed.

A run says that it runs (process, machine, a heartbeat) and how it ended. One that says "running" and whose process
is gone was killed: its file is the proof, so no run is ever shown as running because nobody told it to stop.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.redaction import without_secrets
from tvo_cli.tracking.atomic_files import is_unfinished, write_json_atomically, write_text_atomically
from tvo_cli.tracking.slurm_start import is_over_by_requeue, slurm_start

STATUS_FILE = "state.json"
SWEEP_INDEX = "sweep.json"  # of a sweep, whose runs have folders below its own
RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
HEARTBEAT = 15.0  # seconds between two touches of the file
SILENCE = 300.0  # seconds without a touch after which a process of another machine counts as dead
SLURM = "slurm"  # in state.json: the start of a Slurm job that the run belongs to
VANISHED = "the process ended without writing a status: killed, or the machine went down"


class FolderInUse(UserError):
    """Another process runs in the folder of a run."""


class Heartbeat:
    """The heartbeat of a run: writes the status `running`, touches the file; `end` writes how the run ended.

    Entering is refused while another process runs in the folder: two would write over each other's files.
    """

    def __init__(self, folder: Path, fingerprint: str, command: str, overrides: Sequence[str] = ()) -> None:
        self._folder, self._path = folder, folder / STATUS_FILE
        self._facts = {
            "fingerprint": fingerprint,
            "command": command,
            "overrides": list(overrides),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "born": _process_start_time(os.getpid()),
            "started": utc_now(),
            **({SLURM: start} if (start := slurm_start()) else {}),
        }
        self._done = threading.Event()

    def __enter__(self) -> Heartbeat:
        with status_lock(self._folder):
            _refuse_running_status(self._folder)
            self._former, self._seen = _status_text(self._path), _modification_times(self._folder)
            write_json_atomically(self._path, {"state": RUNNING, **self._facts})
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def end(self, state: str, code: int, reason: str = "") -> None:
        """Write how the run ended."""
        self._done.set()
        self._thread.join()
        write_json_atomically(
            self._path,
            {"state": state, "code": code, "reason": without_secrets(reason), **self._facts, "ended": utc_now()},
        )

    def withdraw(self) -> bool:
        """Put the former word back where nothing else was written since; whether it was: no run has begun here."""
        if self._former is None or _modification_times(self._folder) != self._seen:
            return False
        self._done.set()
        self._thread.join()
        write_text_atomically(self._path, self._former)
        return True

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT):
            try:
                os.utime(self._path)
            except FileNotFoundError:
                return  # the folder was moved or removed: the run itself will say so
            except OSError:
                continue  # of a network's disk, and it may pass: another host takes a silent run for a dead one


def read_status(folder: Path) -> dict[str, Any]:
    """Read state.json of a run folder; empty when there is none, or none that can be read."""
    try:
        found = json.loads((folder / STATUS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def status_of(folder: Path) -> tuple[str, str]:
    """Return (status, reason) of a run: running only while its process lives; `""` where none was ever written."""
    found = read_status(folder)
    state, reason = str(found.get("state", "")), str(found.get("reason", ""))
    if state == RUNNING and not is_running(folder, found):
        return FAILED, VANISHED
    return state, reason


def is_running(folder: Path, found: Mapping[str, Any] | None = None) -> bool:
    """Return whether the process that state.json names still runs here.

    On its own machine the process table tells, with the start time against a number used again; elsewhere the
    heartbeat does, and of a Slurm job that was requeued, that it was.
    """
    facts = read_status(folder) if found is None else found
    if facts.get("state") != RUNNING:
        return False
    pid = facts.get("pid")
    if facts.get("host") == socket.gethostname() and isinstance(pid, int):
        return _process_exists(pid, facts.get("born"))
    if is_over_by_requeue(facts.get(SLURM)):
        return False
    try:
        return abs(time.time() - (folder / STATUS_FILE).stat().st_mtime) < SILENCE  # nor is one of a later day a beat
    except OSError:
        return False


def is_run_finished(folder: Path, fingerprint: str) -> bool:
    """Return whether this very experiment has ended well in the folder."""
    found = read_status(folder)
    return found.get("state") == FINISHED and found.get("fingerprint") == fingerprint


def write_end_of_dead_run(folder: Path, state: str, code: int, reason: str, facts: Mapping[str, Any]) -> None:
    """Write the end of a run that could not write it itself; its own status stands."""
    found = read_status(folder)
    if found.get("state") in (None, RUNNING) and not is_running(folder, found):
        told = {"state": state, "code": code, "reason": without_secrets(reason), "ended": utc_now()}
        write_json_atomically(folder / STATUS_FILE, {**facts, **found, **told})


def write_end_of_own_run(folder: Path, state: str, code: int, reason: str) -> None:
    """Write the end of the run that this process runs in a folder, where its main thread cannot any more."""
    found = read_status(folder)
    if found.get("state") == RUNNING and (found.get("host"), found.get("pid")) == (socket.gethostname(), os.getpid()):
        told = {"state": state, "code": code, "reason": without_secrets(reason), "ended": utc_now()}
        write_json_atomically(folder / STATUS_FILE, {**found, **told})


@contextmanager
def status_lock(folder: Path) -> Iterator[None]:
    """Lock the folder while one process reads and writes the status; short, so that no child inherits the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_running_status(folder: Path) -> None:
    """Refuse a run folder whose status says that another process runs in it."""
    found = read_status(folder)
    here = (socket.gethostname(), os.getpid())
    if (found.get("host"), found.get("pid")) != here and is_running(folder, found):
        who = f"another process is running in it ({found.get('pid')} on {found.get('host')})."
        remedy = "Wait for its end, or name another folder: output_dir=…"
        raise FolderInUse("output_dir", folder, who, remedy)


def _status_text(path: Path) -> str | None:
    """The text of state.json; None where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _modification_times(folder: Path) -> dict[str, int]:
    """For a run's status: when everything directly in its folder was last written, besides logs and state.json."""
    whole = (path for path in folder.iterdir() if not is_unfinished(path))
    found = (path for path in whole if path.name != STATUS_FILE and path.suffix != ".log")
    return {path.name: path.lstat().st_mtime_ns for path in found if os.path.lexists(path)}


def utc_now() -> str:
    """Return the time as state.json has it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _process_start_time(pid: int) -> int | None:
    """Return when a process began, in clock ticks since the machine did; None where /proc is not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _process_exists(pid: int, born: object) -> bool:
    """Return whether the process that wrote the status still exists."""
    if born is not None:
        return _process_start_time(pid) == born
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
