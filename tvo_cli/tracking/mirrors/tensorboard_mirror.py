"""The TensorBoard mirror, through TensorBoard's own event writer: no torch needed."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tvo_cli import escaping
from tvo_cli.errors import UserError
from tvo_cli.tracking.mirrors.mirror import MirrorRowKey, RunInfo, mirrored_row_keys


class TensorboardMirror:
    """A mirror that writes event files under tensorboard/ of the run folder."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._folder = Path()
        self._step = 0
        if find_spec("tensorboard") is None:  # said before anything is written
            remedy = "Install it: pip install -e '.[tensorboard]', or take logger=none."
            raise UserError("logger", "tensorboard", "the package tensorboard is not installed.", remedy)

    def start(self, run: RunInfo) -> None:
        """Open the event file."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._folder = run.folder / "tensorboard"
        self._writer = EventFileWriter(str(self._folder))
        self._text("command", 0, escaping.markdown(run.command))
        self._text("config", 0, "\n".join(f"    {escaping.terminal(line)}" for line in _yaml_lines(run.config)))

    def held(self) -> set[MirrorRowKey]:
        """The rows of all event files, of each up to where a kill has torn it."""
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

        found: set[MirrorRowKey] = set()
        for path in sorted(self._folder.glob("events.out.tfevents.*")):
            for event in LegacyEventFileLoader(str(path)).Load():
                found |= mirrored_row_keys(event.step, _scalar_tags(event))
        return found

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write a step."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._step = step
        self._add(step, [Summary.Value(tag=name, simple_value=float(value)) for name, value in metrics.items()])

    def table(self, name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table under Text, which TensorBoard shows as Markdown: what a model wrote is escaped for it."""
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
        self._text(name, step, "\n".join(escaping.escaped_markdown_table(columns, texts)))

    def figure(self, path: Path) -> None:
        """The run's figure under Images."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        content = path.read_bytes()
        width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk, IHDR
        image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
        self._add(self._step, [Summary.Value(tag="figure", image=image)])

    def _text(self, name: str, step: int, markdown: str) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(step, [text_pb(f"{name}/text_summary", markdown).value[0]])

    def _add(self, step: int, values: Sequence[Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if self._writer is not None:
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
            self._writer.flush()

    def alert(self, title: str, text: str) -> None:
        """TensorBoard has nobody to tell; the console and collapse.json do."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _scalar_tags(event: Any) -> Iterator[str]:
    """Yield the tags of numbers that the mirror has written: texts and images are no rows of metrics."""
    return (value.tag for value in event.summary.value if value.HasField("simple_value"))


def _yaml_lines(config: Mapping[str, Any]) -> list[str]:
    """Return a config as lines of YAML for TensorBoard's text."""
    import yaml

    return str(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)).splitlines()
