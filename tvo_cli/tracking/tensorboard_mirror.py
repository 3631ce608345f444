"""The TensorBoard mirror, through TensorBoard's own event writer: no torch needed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking.mirror import RowKey, RunInfo, mirrored_row_keys


class TensorboardMirror:
    """A mirror that writes event files under tensorboard/ of the run folder."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._folder = Path()
        if find_spec("tensorboard") is None:  # said before anything is written
            remedy = "Install it: pip install -e '.[tensorboard]', or take logger=none."
            raise UserError("logger", "tensorboard", "the package tensorboard is not installed.", remedy)

    def start(self, run: RunInfo) -> None:
        """Open the event file."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._folder = run.folder / "tensorboard"
        self._writer = EventFileWriter(str(self._folder))

    def held(self) -> set[RowKey]:
        """The rows of all event files, of each up to where a kill has torn it."""
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

        found: set[RowKey] = set()
        for path in sorted(self._folder.glob("events.out.tfevents.*")):
            for event in LegacyEventFileLoader(str(path)).Load():
                found |= mirrored_row_keys(event.step, (value.tag for value in event.summary.value))
        return found

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write a step."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if self._writer is not None:
            values = [Summary.Value(tag=name, simple_value=float(value)) for name, value in metrics.items()]
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
            self._writer.flush()

    def alert(self, title: str, text: str) -> None:
        """TensorBoard has nobody to tell; the console and collapse.json do."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
