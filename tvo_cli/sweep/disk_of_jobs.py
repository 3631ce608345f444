"""The disk of a sweep's jobs together: what they hold already from an earlier command, and what they take besides."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.checkpoint.disk_size import NONE_HELD, DiskSize, HeldCheckpoints, held_checkpoints
from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob
from tvo_cli.tracking import run_status
from tvo_cli.tracking.run_folder_size import disk_held_by_run


class HeldDisk(NamedTuple):
    """Bytes that a run's checkpoints and recorded steps take now, and whether it is finished and takes no more."""

    held: int
    finished: bool
    checkpoints: HeldCheckpoints = NONE_HELD


NOTHING = HeldDisk(0, finished=False)


def disk_held_by_jobs(folder: Path, jobs: Sequence[Sequence[str]], fingerprint: Callable[[int], str]) -> list[HeldDisk]:
    """Return what each job of a sweep holds; nothing where the sweep's folder holds another experiment's jobs.

    Args:
        folder: of the sweep; it need not be there.
        jobs: the overrides of each.
        fingerprint: of the job of a number. Jobs are found by their overrides, and one of those found is asked whether
            it is still the same: since an earlier command a preset may have changed, and then they all run anew.

    Raises:
        UserError: the sweep's index cannot be read.
    """
    index = SweepIndex(folder)
    listed = [*_jobs_by_their_folders(index), *index.jobs.values()]
    entries = {_overrides_of_experiment(job.overrides): job for job in listed}
    known = [entries.get(_overrides_of_experiment(redaction.redacted_arguments(job))) for job in jobs]
    found = next(((number, job) for number, job in enumerate(known) if job), None)
    if found is None or fingerprint(found[0]) != found[1].fingerprint:
        return [NOTHING] * len(jobs)
    return [NOTHING if job is None else _held_by_job(index, job) for job in known]


def _jobs_by_their_folders(index: SweepIndex) -> list[SweepJob]:
    """Return the jobs that runs in the sweep's folder say they are, which the index does not know: it was removed."""
    found = []
    for path in sorted(index.folder.glob(f"*/{run_status.STATUS_FILE}")):
        own = run_status.read_status(path.parent)
        if own.get("fingerprint") and own["fingerprint"] not in index.jobs:
            words = list(map(str, own.get("overrides") or ()))
            found.append(SweepJob(str(own["fingerprint"]), path.parent.name, words, ""))
    return found


def _held_by_job(index: SweepIndex, job: SweepJob) -> HeldDisk:
    name, finished = index.enter(job.fingerprint, job.folder)
    folder = index.folder / name
    return HeldDisk(disk_held_by_run(folder), finished, held_checkpoints(folder))


def _overrides_of_experiment(words: Sequence[str]) -> frozenset[str]:
    """The overrides by which a job is the same as one that holds disk already."""
    keys = {word: re.split(r"[./]", configuration.split_override(word)[0])[0] for word in words}
    return frozenset(word for word, key in keys.items() if key not in configuration.NOT_THE_EXPERIMENT)


def disk_to_come(disk: DiskSize, held: HeldDisk) -> DiskSize:
    """Return the disk that a job of a sweep takes besides what it holds; nothing where it is finished."""
    if held.finished:
        return disk._replace(finished=0, at_most=0)
    return disk._replace(finished=max(0, disk.finished - held.held), at_most=max(0, disk.at_most - held.held))


def disk_of_jobs(disks: Sequence[DiskSize], at_once: int) -> int:
    """Return the most bytes that jobs take together: what all leave, and `at_once` of them at their largest."""
    beyond = sorted((disk.at_most - disk.finished for disk in disks), reverse=True)
    return sum(disk.finished for disk in disks) + sum(beyond[:at_once])
