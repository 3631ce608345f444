"""The remaining time of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class RunningJob(NamedTuple):
    """A running job: seconds so far, and the share of its steps that are done (None: unknown)."""

    seconds: float
    share: float | None


def remaining_seconds(done: Sequence[float], running: Sequence[RunningJob], waiting: int, slots: int) -> float | None:
    """Return the seconds until the last job ends; None while nothing is known.

    A job is expected to take the mean of those that ended; before any has, what the running ones extrapolate to.
    A running job needs seconds·(1/share − 1) where it says its share, else what is left of the mean. The work is
    spread evenly over the slots, but no job ends sooner than it does by itself.
    """
    told = [job.seconds / job.share for job in running if job.share]
    known = list(done) or told
    if not known:
        return None
    mean = sum(known) / len(known)
    left = [job.seconds * (1 / job.share - 1) if job.share else max(0.0, mean - job.seconds) for job in running]
    spread = (sum(left) + waiting * mean) / max(1, slots)
    return max([spread, *left])
