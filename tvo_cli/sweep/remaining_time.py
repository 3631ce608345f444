"""The remaining time of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class RunningJob(NamedTuple):
    """A running job: seconds so far, the share of its steps that are done (None: unknown), and that from before."""

    seconds: float
    share: float | None
    share_before: float = 0.0  # what it had when it went on; these seconds made none of it

    @property
    def whole(self) -> float | None:
        """Seconds that all of its steps take at this pace; None before the first step of these seconds."""
        done = (self.share or 0.0) - self.share_before
        return self.seconds / done if done > 0 else None

    def left(self, mean: float) -> float:
        """Seconds to its end, where a job takes `mean` in all."""
        share = self.share or self.share_before
        return max(0.0, mean * (1 - share) - self.seconds) if self.whole is None else self.whole * (1 - share)


def remaining_seconds(done: Sequence[float], running: Sequence[RunningJob], waiting: int, slots: int) -> float | None:
    """Return the seconds until the last job ends; None while nothing is known.

    A job is expected to take the mean of those that ended; before any has, what the running ones extrapolate to.
    A running job needs seconds·(1 − share)/(share − share before) where it says its share, else what is left of the
    mean. The work is spread evenly over the slots, but no job ends sooner than it does by itself.
    """
    told = [job.whole for job in running if job.whole is not None]
    known = list(done) or told
    if not known:
        return None
    mean = sum(known) / len(known)
    left = [job.left(mean) for job in running]
    spread = (sum(left) + waiting * mean) / max(1, slots)
    return max([spread, *left])
