"""The rows of a TensorBoard folder: every scalar of its event files, by step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tvo_cli.optional_packages import import_for
from tvo_cli.runs.log_file_formats import LoggedRows

PREFIX = "events.out.tfevents."
LOADER = "tensorboard.backend.event_processing.event_file_loader"


def read_event_files(place: Path) -> LoggedRows:
    """Read the event files of a folder, or one of them, each up to where a kill has torn it.

    Raises:
        UserError: tensorboard is not installed.
    """
    import_for("runs", place, "tensorboard", "tensorboard")
    loader = import_for("runs", place, LOADER, "tensorboard")
    rows: dict[int, dict[str, Any]] = {}
    for path in [place] if place.is_file() else sorted(place.glob(f"{PREFIX}*")):
        for event in loader.EventFileLoader(str(path)).Load():
            for name, value in _scalars(event):
                rows.setdefault(event.step, {"step": event.step})[name] = value
    return LoggedRows([rows[step] for step in sorted(rows)])


def _scalars(event: Any) -> Iterator[tuple[str, float]]:
    """Yield names and numbers of an event: as old writers wrote them, and as tensors of one number."""
    for value in event.summary.value:
        if value.HasField("simple_value"):
            yield value.tag, float(value.simple_value)
        elif value.HasField("tensor") and value.tensor.float_val:
            yield value.tag, float(value.tensor.float_val[0])
