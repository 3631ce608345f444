"""Runs of W&B: the file that an offline run leaves, and a run of the server, whose answers are stood in for."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.runs.gather import gather_runs
from tvo_cli.tracking.mirrors.wandb_file import CHUNK, FULL, HEADER

ROWS = [{"train/reward": 0.1 * step, "train/kl": 0.01, "train/entropy": 0.5, "_step": step} for step in (1, 2, 3)]


def write_wandb_file(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a .wandb file as W&B does, a record a row."""
    from wandb.proto import wandb_internal_pb2 as messages

    content = HEADER
    for row in rows:
        record = messages.Record()  # type: ignore[attr-defined]
        record.history.step.num = row["_step"]
        for name, value in row.items():
            item = record.history.item.add()
            item.key, item.value_json = name, json.dumps(value)
        data = record.SerializeToString()
        content += CHUNK.pack(zlib.crc32(bytes([FULL]) + data), len(data), FULL) + data
    path.write_bytes(content)


@pytest.mark.slow  # wandb takes seconds to import
def test_an_offline_run_is_read_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "wandb" / "offline-run-1"
    folder.mkdir(parents=True)
    write_wandb_file(folder / "run-1.wandb", ROWS)
    [trial] = gather_runs([tmp_path]).trials
    assert trial.tool == "other" and trial.curve("reward/mean") == ([1, 2, 3], pytest.approx([0.1, 0.2, 0.3]))


@pytest.mark.slow
def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "run-1.wandb").write_bytes(b"something else")
    found = gather_runs([tmp_path / "run-1.wandb"])
    assert "nothing of it can be read" in found.notes[0]


@pytest.mark.slow
def test_a_run_of_the_server_is_read_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    asked: list[str] = []

    def run(name: str) -> Any:
        asked.append(name)
        return SimpleNamespace(scan_history=lambda: iter(ROWS))

    monkeypatch.setattr(wandb, "Api", lambda timeout: SimpleNamespace(run=run))
    [trial] = gather_runs([Path("wandb:me/project/abc")]).trials
    assert asked == ["me/project/abc"] and trial.curve("policy/kl_ref")[1] == [0.01] * 3


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def refuse(timeout: int) -> None:
        raise ConnectionError

    monkeypatch.setattr(wandb, "Api", refuse)
    with pytest.raises(UserError, match=r"W&B does not give it \(ConnectionError\)\. Log in with wandb login"):
        gather_runs([Path("wandb:me/project/abc")])


def test_a_path_needs_its_three_parts() -> None:
    with pytest.raises(UserError, match="names no run of W&B"):
        gather_runs([Path("wandb:project")])
