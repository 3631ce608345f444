"""state.json: what became of a run, readable while it runs and after it was killed.

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
from tvo_cli.tracking.run_folder import without_secrets, write_json, write_text

FILE = "state.json"
RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
HEARTBEAT = 15.0  # seconds between two touches of the file
SILENCE = 300.0  # seconds without a touch after which a process of another machine counts as dead
VANISHED = "the process ended without a word: killed, or the machine went down"


class Heartbeat:
    """Says `running` on entering and touches the file while the run lasts; `end` says how it ended.

    Entering is refused while another process runs in the folder: two would write over each other's files.
    """

    def __init__(self, folder: Path, fingerprint: str, command: str, overrides: Sequence[str] = ()) -> None:
        self._folder, self._path = folder, folder / FILE
        self._facts = {
            "fingerprint": fingerprint,
            "command": command,
            "overrides": list(overrides),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "born": _born(os.getpid()),
            "started": _now(),
        }
        self._done = threading.Event()

    def __enter__(self) -> Heartbeat:
        with _alone(self._folder):
            _refuse_if_taken(self._folder)
            self._former, self._seen = _text(self._path), _others(self._folder)
            write_json(self._path, {"state": RUNNING, **self._facts})
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
        write_json(
            self._path,
            {"state": state, "code": code, "reason": without_secrets(reason), **self._facts, "ended": _now()},
        )

    def withdraw(self) -> bool:
        """Put the former word back where nothing else was written since; whether it was: no run has begun here."""
        if self._former is None or _others(self._folder) != self._seen:
            return False
        self._done.set()
        self._thread.join()
        write_text(self._path, self._former)
        return True

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT):
            try:
                os.utime(self._path)
            except OSError:
                return  # the folder was moved or removed: the run itself will say so


def read(folder: Path) -> dict[str, Any]:
    """The file's content; empty when there is none, or none that can be read."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def status_of(folder: Path) -> tuple[str, str]:
    """(state, reason) of a run: running only while its process lives; `""` where no state was ever written."""
    found = read(folder)
    state, reason = str(found.get("state", "")), str(found.get("reason", ""))
    if state == RUNNING and not is_running(folder, found):
        return FAILED, VANISHED
    return state, reason


def is_running(folder: Path, found: Mapping[str, Any] | None = None) -> bool:
    """Whether the process that says it runs here does.

    On its own machine the process table tells, with the start time against a number used again; elsewhere the
    heartbeat does.
    """
    facts = read(folder) if found is None else found
    if facts.get("state") != RUNNING:
        return False
    pid = facts.get("pid")
    if facts.get("host") == socket.gethostname() and isinstance(pid, int):
        return _exists(pid, facts.get("born"))
    try:
        return time.time() - (folder / FILE).stat().st_mtime < SILENCE
    except OSError:
        return False


def finished(folder: Path, fingerprint: str) -> bool:
    """Whether this very experiment has ended well in the folder."""
    found = read(folder)
    return found.get("state") == FINISHED and found.get("fingerprint") == fingerprint


def settle(folder: Path, state: str, code: int, reason: str, facts: Mapping[str, Any]) -> None:
    """Write the end of a run that could not write it itself; its own word stands."""
    found = read(folder)
    if found.get("state") in (None, RUNNING) and not is_running(folder, found):
        told = {"state": state, "code": code, "reason": without_secrets(reason), "ended": _now()}
        write_json(folder / FILE, {**facts, **found, **told})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time looks who is here and says that it is; short, so that no child inherits the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_if_taken(folder: Path) -> None:
    found = read(folder)
    here = (socket.gethostname(), os.getpid())
    if (found.get("host"), found.get("pid")) != here and is_running(folder, found):
        who = f"another process is running in it ({found.get('pid')} on {found.get('host')})."
        remedy = "Wait for its end, or name another folder: output_dir=…"
        raise UserError("output_dir", folder, who, remedy)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _others(folder: Path) -> dict[str, int]:
    """When everything directly in the folder was last written, besides logs and our own file."""
    found = (path for path in folder.iterdir() if path.name != FILE and path.suffix != ".log")
    return {path.name: path.stat().st_mtime_ns for path in found}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _born(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine did; None where /proc is not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _exists(pid: int, born: object) -> bool:
    if born is not None:
        return _born(pid) == born
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
