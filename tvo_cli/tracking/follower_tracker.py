"""The tracker of a rank that is not the first: rank 0 writes the run folder, this one only its own log."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from tvo_cli.tracking.tracker import Tracker

log = logging.getLogger("tvo")


class FollowerTracker(Tracker):
    """A tracker without files, console or mirrors; what it is told goes to the log of the process."""

    def __init__(self) -> None:
        """Nothing is opened."""

    def __enter__(self) -> FollowerTracker:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def rewind(self, step: int) -> None:
        """Rank 0 forgets the rows."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Rank 0 records the step."""

    def log_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Rank 0 records the evaluation."""

    def sync(self) -> None:
        """There is no file."""

    def log_completions(self, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Rank 0 shows them."""

    @property
    def shows_figures(self) -> bool:
        """Rank 0 does."""
        return False

    def alert(self, rule: str, text: str, *, step: int, severity: str = "warning") -> None:
        """Log it; rank 0 tells people."""
        log.warning("%s at step %d: %s", rule, step, text)

    def announce(self, text: str) -> None:
        """Rank 0 says it."""

    def finish(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Rank 0 writes the summary."""
        return dict(summary)
