"""The end of a sweep: what is done, what failed and why, how to rerun one, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli import escaping
from tvo_cli.sweep.index import WAITING, Job
from tvo_cli.sweep.job_process import SAVED, USER
from tvo_cli.sweep.runner import JOB_LOG
from tvo_cli.tracking import run_status

DEFECT = 1


def exit_code(jobs: Sequence[Job], *, stopped: bool) -> int:
    """0 all done; 75 stopped, the same command goes on; 2 every failure can be mended by the user; else 1."""
    codes = [job.code for job in jobs if job.state != run_status.FINISHED]
    if not codes:
        return 0
    if stopped or all(code == SAVED for code in codes):
        return SAVED
    return USER if all(code == USER for code in codes) else DEFECT


def lines(folder: Path, jobs: Sequence[Job], asked: int | None = None) -> list[str]:
    """The closing table and the words under it."""
    return [*map(escaping.terminal, _told(folder, jobs, len(jobs) if asked is None else asked))]


def repeated(asked: int, different: int) -> str:
    """` (3 asked, 1 the same as another)`: names, folders and loggers make no other job."""
    same = asked - different
    return f" ({asked} asked, {same} the same as another)" if same else ""


def _told(folder: Path, jobs: Sequence[Job], asked: int) -> Iterator[str]:
    done = [job for job in jobs if job.state == run_status.FINISHED]
    before = sum(job.before for job in done)
    count = f"sweep: {len(done)} of {len(jobs)} finished" + (f" ({before} of them before)" if before else "")
    count += repeated(asked, len(jobs))
    rest = [job for job in jobs if job.state != run_status.FINISHED]
    yield f"{count}. Everything is in {folder}"
    for job in rest:
        word = "not started" if job.state == WAITING else job.state
        yield f"  {job.folder}: {word}{f' ({job.reason})' if job.reason else ''}"
        if job.state != WAITING:
            yield f"    log: {folder / job.folder / JOB_LOG}"
            yield f"    alone: {job.command}"
    if rest:
        yield "The same command does only what is not done."
