"""The summary at the end of a sweep: what finished, what failed and why, how to rerun one, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli import escaping
from tvo_cli.sweep.job_process import SAVED, USER
from tvo_cli.sweep.runner import JOB_LOG
from tvo_cli.sweep.sweep_index import WAITING, SweepJob
from tvo_cli.tracking import run_status

INTERNAL_ERROR = 1


def exit_code_of_sweep(jobs: Sequence[SweepJob], *, stopped: bool) -> int:
    """Return a sweep's exit code: 0 all finished; 75 stopped, resumable; 2 only failures of the user's; else 1."""
    codes = [job.code for job in jobs if job.state != run_status.FINISHED]
    if not codes:
        return 0
    if stopped or all(code == SAVED for code in codes):
        return SAVED
    return USER if all(code == USER for code in codes) else INTERNAL_ERROR


def sweep_summary_lines(folder: Path, jobs: Sequence[SweepJob], asked: int | None = None) -> list[str]:
    """Return the closing lines of a sweep."""
    return [*map(escaping.terminal, _summary_text(folder, jobs, len(jobs) if asked is None else asked))]


def repeated_jobs_note(asked: int, different: int) -> str:
    """Return the summary's ` (3 asked, 1 the same as another)`: names, folders and loggers make no other job."""
    same = asked - different
    return f" ({asked} asked, {same} the same as another)" if same else ""


def _summary_text(folder: Path, jobs: Sequence[SweepJob], asked: int) -> Iterator[str]:
    """Yield the lines of the summary: how many jobs finished, and what became of the others."""
    done = [job for job in jobs if job.state == run_status.FINISHED]
    before = sum(job.before for job in done)
    count = f"sweep: {len(done)} of {len(jobs)} finished" + (f" ({before} of them before)" if before else "")
    count += repeated_jobs_note(asked, len(jobs))
    rest = [job for job in jobs if job.state != run_status.FINISHED]
    yield f"{count}. Everything is in {folder}"
    for job in rest:
        word = "not started" if job.state == WAITING else job.state
        yield f"  {job.folder}: {word}{f' ({job.reason})' if job.reason else ''}"
        if job.state != WAITING:
            yield f"    log: {folder / job.folder / JOB_LOG}"
            yield f"    alone: {job.command}"
    if rest:
        yield "The same command runs only what is not finished."
