"""TensorBoard folders: scalars of event files, and what is said where TensorBoard is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.runs import tensorboard_events
from tvo_cli.runs.gather import gather_runs


@pytest.mark.slow  # tensorboard takes seconds to import
def test_scalars_are_rows(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path))
    for step in (1, 2):
        values = [Summary.Value(tag=tag, simple_value=0.5 * step) for tag in ("train/reward", "train/kl")]
        writer.add_event(Event(step=step, summary=Summary(value=values)))
    writer.close()
    [trial] = gather_runs([tmp_path]).trials
    assert trial.tool == "other" and trial.curve("reward/mean") == ([1, 2], [0.5, 1.0])


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{tensorboard_events.PREFIX}1").touch()
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"tensorboard.*pip install -e '\.\[tensorboard\]'"):
        gather_runs([tmp_path])
