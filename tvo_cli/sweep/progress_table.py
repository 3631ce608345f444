"""The progress table of a sweep: live on a terminal, one line a change elsewhere and in sweep.log."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from tvo_cli import escaping, standard_streams
from tvo_cli.sweep.remaining_time import RunningJob, remaining_seconds
from tvo_cli.sweep.sweep_index import WAITING, SweepJob
from tvo_cli.tracking import run_status
from tvo_cli.tracking.metrics_file import last_training_step
from tvo_cli.tracking.terminal.console_numbers import format_duration
from tvo_cli.tracking.terminal.terminal_echo import without_echo

if TYPE_CHECKING:
    from rich.console import RenderableType

LOG = "sweep.log"
STYLE = {"running": "cyan", "finished": "green", "failed": "red", "interrupted": "yellow", WAITING: "dim"}
ORDER = ("failed", "interrupted", "running", WAITING, "finished")  # of attention, when the screen is too short


class ProgressTable:
    """The progress table of a sweep's jobs; `changed` after every change, `tick` from time to time."""

    def __init__(self, folder: Path, jobs: Sequence[SweepJob], slots: int, stream: TextIO | None = None) -> None:
        self._folder, self._jobs, self._slots = folder, jobs, slots
        self._stream = stream or sys.stdout
        self._live: Any = None
        self._terminal = ExitStack()
        self._since: dict[str, float] = {}
        self._share_before: dict[str, float] = {}  # of jobs that went on
        self._drawn = 0.0
        self.is_loading = False  # the process that jobs are forked from; none starts before

    def __enter__(self) -> ProgressTable:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log = (self._folder / LOG).open("a", encoding="utf-8", errors="backslashreplace")
        standard_streams.add_stream_listener(self._note)
        if standard_streams.can_standard_stream_redraw(self._stream):
            from rich.console import Console
            from rich.live import Live

            self._console = Console(file=self._stream)
            self._live = Live(self.table(), console=self._console, auto_refresh=False, transient=True)
            self._terminal.enter_context(without_echo(self._stream))
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        self._terminal.close()
        standard_streams.remove_stream_listener(self._note)
        self._log.close()

    def say(self, text: str) -> None:
        """A line in the log, and outside a terminal on the screen."""
        text = escaping.terminal(text)
        self._note(text)
        if self._live is None:
            print(text, file=self._stream, flush=True)
        else:
            self.tick(force=True)

    def _note(self, text: str) -> None:
        """A line in the log alone."""
        self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        self._log.flush()

    def changed(self, job: SweepJob) -> None:
        """A job has another state."""
        if job.state == run_status.RUNNING:
            self._since[job.fingerprint] = time.monotonic()
            self._share_before[job.fingerprint] = self.share(job) or 0.0
        ended = sum(other.state not in (WAITING, run_status.RUNNING) for other in self._jobs)
        parts = [f"[{ended}/{len(self._jobs)}]", job.state, job.folder]
        parts += [f"attempt {job.attempts}"] if job.state == run_status.RUNNING and job.attempts > 1 else []
        parts += (
            [f"in {format_duration(job.seconds)}"]
            if job.seconds is not None and job.state == run_status.FINISHED
            else []
        )
        parts += [f"({job.reason})"] if job.reason and job.state != run_status.RUNNING else []
        self.say(" ".join(parts) + self._ahead())

    def tick(self, *, force: bool = False) -> None:
        """Draw the table again, at most twice a second."""
        if self._live is not None and (force or time.monotonic() > self._drawn + 0.5):
            self._drawn = time.monotonic()
            self._live.update(self.table(), refresh=True)

    def eta(self) -> float | None:
        """Seconds still to go."""
        done = [job.seconds for job in self._in(run_status.FINISHED) if job.seconds and self._is_whole(job)]
        running = [self._running(job) for job in self._in(run_status.RUNNING)]
        return remaining_seconds(done, running, len(self._in(WAITING)), self._slots)

    def _is_whole(self, job: SweepJob) -> bool:
        """Whether its seconds are a whole job's: made in this sweep, from step 1."""
        return bool(job.attempts) and not self._share_before.get(job.fingerprint)

    def _running(self, job: SweepJob) -> RunningJob:
        share, before = self.share(job), self._share_before.get(job.fingerprint, 0.0)
        if share is not None and share < before:  # steps after its last checkpoint are made again
            self._share_before[job.fingerprint] = before = share
        return RunningJob(self._elapsed(job), share, before)

    def share(self, job: SweepJob) -> float | None:
        """Of a training's steps, how many it has done; None for what counts no steps."""
        step = last_training_step(self._folder / job.folder / "metrics.jsonl") if job.steps else None
        return None if not step or not job.steps else min(1.0, step / job.steps)

    def table(self) -> RenderableType:
        """The jobs, as many as fit; those that need attention first."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("job", "state", "time", "progress", ""):
            drawn.add_column(heading, no_wrap=heading != "", overflow="ellipsis")
        shown = self._shown()
        for job in shown:
            drawn.add_row(*(Text(escaping.terminal(cell)) for cell in self._cells(job)), style=STYLE.get(job.state))
        rest = len(self._jobs) - len(shown)
        return Group(drawn, Text(f"  and {rest} more" if rest else ""), Text(self.line()))

    def line(self) -> str:
        """Counts and the time to go."""
        counts = Counter(job.state for job in self._jobs)
        why = " · loading torch and transformers, once for all jobs" if self.is_loading else ""
        return ", ".join(f"{counts[name]} {name}" for name in reversed(ORDER) if counts[name]) + self._ahead() + why

    def _shown(self) -> list[SweepJob]:
        most = max(4, self._console.height - 8) if self._live is not None or hasattr(self, "_console") else 40
        rank: Callable[[SweepJob], int] = lambda job: ORDER.index(job.state)  # noqa: E731
        chosen = sorted(self._jobs, key=rank)[:most]
        return [job for job in self._jobs if job in chosen]

    def _cells(self, job: SweepJob) -> list[str]:
        share = self.share(job) if job.state == run_status.RUNNING else None
        seconds = self._elapsed(job) if job.state == run_status.RUNNING else job.seconds
        done = "before" if job.before else "" if seconds is None else format_duration(seconds)
        return [job.folder, job.state, done, "" if share is None else f"{share:.0%}", job.reason]

    def _elapsed(self, job: SweepJob) -> float:
        return time.monotonic() - self._since.get(job.fingerprint, time.monotonic())

    def _in(self, name: str) -> list[SweepJob]:
        return [job for job in self._jobs if job.state == name]

    def _ahead(self) -> str:
        seconds = self.eta() if self._in(run_status.RUNNING) or self._in(WAITING) else None
        return "" if seconds is None else f" · about {format_duration(seconds)} to go"
