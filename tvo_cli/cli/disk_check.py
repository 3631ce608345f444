"""The disk that the jobs of a dry run take together, against what is free where they go."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.byte_sizes import format_bytes
from tvo_cli.errors import UserError

Plan = Mapping[str, Any]  # derived sizes of a job


def show_disk_of_jobs(plans: Sequence[Plan], output_dir: str, *, assumed: bool) -> None:
    """Print the disk that the jobs of a sweep take together; refuse jobs that do not fit.

    Args:
        plans: the derived sizes of each job.
        output_dir: where the first job goes; its disk is asked.
        assumed: whether the jobs differ and all are taken to be as large as the first.

    Raises:
        UserError: fewer bytes are free than the jobs leave, with the one that runs at its largest.
    """
    from tvo_cli.derived_sizes import DISK, DISK_AT_MOST

    known = [(plan[DISK][0], plan[DISK_AT_MOST][0]) for plan in plans if DISK in plan]
    if not known:
        return
    left = sum(finished for finished, _ in known)
    wanted = 1e9 * (left + max(at_most - finished for finished, at_most in known))
    place = _existing_parent(Path(output_dir))
    free = shutil.disk_usage(place).free
    needed, there = format_bytes(wanted), format_bytes(free)
    as_first = ", if all are as large as the first" if assumed else ""
    if wanted > free:
        who = f"{len(plans)} jobs take" if len(plans) > 1 else "the run takes"
        remedy = "Take trainer.save_policy_only=true, a smaller trainer.keep, recorder=off, or another disk."
        problem = f"{who} up to {needed} of disk{as_first}; {there} are free in {place}."
        raise UserError("output_dir", output_dir, problem, remedy)
    if len(plans) > 1:
        print(f"All jobs take up to {needed} of disk{as_first}; {there} are free.\n")


def _existing_parent(path: Path) -> Path:
    """The folder nearest to a path that exists."""
    absolute = path.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.is_dir())
