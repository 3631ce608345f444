"""The disk that the jobs of a dry run take together, against what is free where they go."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tvo_cli.byte_sizes import format_bytes
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from tvo_cli.derived_sizes import DiskSize
    from tvo_cli.sweep.held_disk import HeldDisk


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
    place = _existing_parent(Path(output_dir))
    free = shutil.disk_usage(place).free
    needed, there = format_bytes(wanted), format_bytes(free)
    as_first = ", if all are as large as the first" if assumed else ""
    if wanted > free:
        who = f"{len(disks)} jobs take" if len(disks) > 1 else "the run takes"
        who += _beside_what_is_held(held)
        remedy = "Take trainer.save_policy_only=true, a smaller trainer.keep, recorder=off, or another disk."
        problem = f"{who} up to {needed} of disk{as_first}; {there} are free in {place}."
        raise UserError("output_dir", output_dir, problem, remedy)
    if len(disks) > 1:
        print(f"All jobs take{_beside_what_is_held(held)} up to {needed} of disk{as_first}; {there} are free.\n")


def disk_to_come(disk: DiskSize, held: HeldDisk) -> DiskSize:
    """Return what a job takes besides what it holds; nothing where it is finished."""
    if held.finished:
        return disk._replace(finished=0, at_most=0)
    return disk._replace(finished=max(0, disk.finished - held.held), at_most=max(0, disk.at_most - held.held))


def _beside_what_is_held(held: Sequence[HeldDisk]) -> str:
    done, there = sum(one.finished for one in held), sum(one.held for one in held)
    return f", beside {format_bytes(there)} that they hold ({done} finished)," if there or done else ""


def disk_of_jobs(disks: Sequence[DiskSize], at_once: int) -> int:
    """Return the most bytes that jobs take together: what all leave, and `at_once` of them at their largest."""
    beyond = sorted((disk.at_most - disk.finished for disk in disks), reverse=True)
    return sum(disk.finished for disk in disks) + sum(beyond[:at_once])


def _existing_parent(path: Path) -> Path:
    """The folder nearest to a path that exists."""
    absolute = path.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.is_dir())
