"""The disk that the jobs of a dry run take together, against what is free where they go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tvo_cli import config as configuration
from tvo_cli.byte_sizes import format_bytes
from tvo_cli.errors import UserError
from tvo_cli.sweep.disk_of_jobs import disk_of_jobs, disk_to_come
from tvo_cli.sweep.slots import Job
from tvo_cli.tracking.run_folder_size import disk_held_by_run, free_disk

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.checkpoint.disk_size import DiskSize
    from tvo_cli.sweep.disk_of_jobs import HeldDisk


def show_disk_of_jobs(
    disks: Sequence[DiskSize | None], output_dir: str, *, held: Sequence[HeldDisk], at_once: int, assumed: bool
) -> None:
    """Print the disk that the jobs of a sweep take together; refuse jobs that do not fit.

    Args:
        disks: what each job takes; None where nobody knows.
        held: what each holds already, by an earlier command.
        output_dir: where the first job goes; its disk is asked.
        at_once: jobs that run side by side, each of which may be at its largest.
        assumed: whether the jobs differ and all are taken to be as large as the first.

    Raises:
        UserError: fewer bytes are free than the jobs leave, with those that run at their largest.
    """
    known = [disk_to_come(disk, there) for disk, there in zip(disks, held, strict=True) if disk is not None]
    if not known:
        return
    wanted = disk_of_jobs(known, at_once)
    place, free = free_disk(Path(output_dir))
    needed, there = format_bytes(wanted), format_bytes(free)
    as_first = ", if all are as large as the first" if assumed else ""
    if wanted > free:
        who = f"{len(disks)} jobs take" if len(disks) > 1 else "the run takes"
        who += _beside_what_jobs_hold(held)
        remedy = "Take trainer.save_policy_only=true, a smaller trainer.keep, recorder=off, or another disk."
        problem = f"{who} up to {needed} of disk{as_first}; {there} are free in {place}."
        raise UserError("output_dir", output_dir, problem, remedy)
    if len(disks) > 1:
        print(f"All jobs take{_beside_what_jobs_hold(held)} up to {needed} of disk{as_first}; {there} are free.\n")


def disk_held_already(words: Sequence[str], jobs: Sequence[Job], first: DictConfig, name: str) -> list[HeldDisk]:
    """Return what each job holds in the folder where the command would put it."""
    from hydra._internal.utils import get_args_parser

    from tvo_cli.sweep.disk_of_jobs import NOTHING, disk_held_by_jobs
    from tvo_cli.sweep.folder_names import folder_of_sweep
    from tvo_cli.sweep.job_fingerprint import fingerprint_of_job

    anew = _jobs_begun_anew(jobs, first, name)
    known = get_args_parser().parse_args(configuration.normalised_overrides(words))
    if not known.multirun:
        return [NOTHING if anew[0] else _disk_held_by_single_run(first)]
    folder = folder_of_sweep(known.overrides, first, name)
    found = disk_held_by_jobs(
        folder, jobs, lambda number: fingerprint_of_job(configuration.compose(jobs[number], name))
    )
    return [NOTHING if afresh else held for held, afresh in zip(found, anew, strict=True)]


def _disk_held_by_single_run(config: DictConfig) -> HeldDisk:
    """Return what the folder of a run holds; finished is one that has all its batches."""
    from tvo_cli.checkpoint.disk_size import checkpoints_to_write, held_checkpoints
    from tvo_cli.sweep.disk_of_jobs import HeldDisk

    folder = Path(config.output_dir)
    there = held_checkpoints(folder)
    return HeldDisk(disk_held_by_run(folder), not checkpoints_to_write(config.trainer, there.step), there)


def _jobs_begun_anew(jobs: Sequence[Job], first: DictConfig, name: str) -> list[bool]:
    """Return whether each job sets aside what its folder holds, which then stays on the disk (resume=never)."""
    from tvo_cli.sweep.job_fingerprint import begins_anew

    kinds: dict[tuple[str, ...], bool] = {}
    found = []
    for job in jobs:
        kind = tuple(word for word in job if word.startswith("resume"))
        if kind not in kinds:
            kinds[kind] = begins_anew(configuration.compose(job, name) if kinds else first)
        found.append(kinds[kind])
    return found


def _beside_what_jobs_hold(held: Sequence[HeldDisk]) -> str:
    """Return the clause of the dry run's line on what the jobs hold already."""
    done, there = sum(one.finished for one in held), sum(one.held for one in held)
    return f", beside {format_bytes(there)} that they hold ({done} finished)," if there or done else ""
