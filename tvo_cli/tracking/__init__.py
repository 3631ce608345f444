"""What a run tells: metrics.jsonl, the console, mirrors. The file is the truth, the rest are views of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvo_cli.tracking.mirrors.mirror import RunInfo

if TYPE_CHECKING:
    from tvo_cli.tracking.tracker import Tracker

__all__ = ["RunInfo", "Tracker"]


def __getattr__(name: str) -> object:
    """The tracker, imported when it is first asked for: who only reads what a run told needs no console and mirrors."""
    if name != "Tracker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tvo_cli.tracking.tracker import Tracker

    return Tracker
