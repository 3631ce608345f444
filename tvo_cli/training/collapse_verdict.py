"""The verdict of a run (collapse.json): what its collapse rules say, and which updates were refused."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tvo_cli.tracking.atomic_files import write_json_atomically
from tvo_cli.training.session import Session


def write_verdict(session: Session) -> None:
    """Write the verdict of a run as collapse.json."""
    if session.ranks.is_first:
        write_json_atomically(session.folder / "collapse.json", verdict_of_run(session))


def verdict_of_run(session: Session) -> dict[str, Any]:
    """The verdict of the rules; where updates may be refused, which of them were, and how many batches that cost."""
    found = session.watch.verdict()
    if not session.limits.refuse:
        return found
    refusals = session.refusal.refusals if session.refusal is not None else []
    return found | {"refusals": [asdict(one) for one in refusals], "batches_lost": session.counters.lost}
