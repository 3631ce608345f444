"""The runs below a folder: found as they begin, told apart, drawn; nothing outside of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.tracking.metrics_file import metrics_line
from tvo_cli.watch import watched_folder
from tvo_cli.watch.watched_folder import WatchedFolder

Write = Callable[..., Path]


def told(folder: WatchedFolder) -> dict[str, Any]:
    return {run["name"]: run for run in folder.runs()["runs"]}


def drawn(folder: WatchedFolder, *metrics: str, runs: tuple[str, ...] = ()) -> Any:
    folder.runs()
    return folder.curves(runs, metrics, "")["curves"]


def test_a_sweep_is_told_run_by_run(write_run: Write, tmp_path: Path) -> None:
    write_run("sweep/a", algorithm="grpo", seed=1, collapsed_at=4)
    write_run("sweep/b", seed=1)
    runs = told(WatchedFolder(tmp_path / "runs"))
    assert {name: (run["state"], run["step"], run["verdict"]) for name, run in runs.items()} == {
        "sweep/a": ("collapsed", 9, "collapsed at 4"),
        "sweep/b": ("finished", 9, "healthy"),
    }
    assert [run["differs"] for run in runs.values()] == [{"algorithm.name": "grpo"}, {"algorithm.name": "tvo"}]
    assert runs["sweep/a"]["firings"] == [
        {"step": 4, "rule": "reward_drop", "collapse": True},
        {"step": 4, "rule": "kl_ceiling", "collapse": False},
    ]


def test_a_run_that_begins_later_shows_up_and_grows(write_run: Write, tmp_path: Path) -> None:
    folder = WatchedFolder(tmp_path / "runs")
    assert folder.runs()["exists"] is False and told(folder) == {}
    run = write_run("late", steps=2)
    assert drawn(folder, "reward/mean")["reward/mean"]["late"]["mean"] == [0.1, 0.2]
    with (run / "metrics.jsonl").open("a") as file:
        file.write(metrics_line(3, {"reward/mean": 0.9}) + '{"step": 4, "rew')
    assert drawn(folder, "reward/mean")["reward/mean"]["late"]["mean"] == [0.1, 0.2, 0.9]


def test_a_killed_run_is_not_shown_as_running(write_run: Write, tmp_path: Path) -> None:
    run = write_run("a")
    state = {"state": "running", "command": "train", "host": socket.gethostname(), "pid": 2**22 + 1, "born": 1}
    (run / "state.json").write_text(json.dumps(state))
    found = told(WatchedFolder(tmp_path / "runs"))["a"]
    assert found["state"] == "failed" and "without writing a status" in found["reason"]


def test_nothing_new_is_not_sent_again(write_run: Write, tmp_path: Path) -> None:
    write_run("a")
    folder = WatchedFolder(tmp_path / "runs")
    folder.runs()
    first = folder.curves([], ["reward/mean", "eval/pass@1", "no/such"], "")
    assert set(first["curves"]["eval/pass@1"]) == {"a"} and first["curves"]["no/such"] == {}
    assert folder.curves([], ["reward/mean"], first["version"])["unchanged"] is True


def test_a_broken_run_is_named_and_does_not_hide_the_others(write_run: Write, tmp_path: Path) -> None:
    (write_run("broken") / "collapse.json").write_text("{half")
    write_run("whole")
    found = WatchedFolder(tmp_path / "runs").runs()
    assert [run["name"] for run in found["runs"]] == ["whole"] and found["unreadable"] == ["broken"]


def test_a_run_whose_files_lead_out_of_the_folder_is_none(write_run: Write, tmp_path: Path) -> None:
    run = write_run("a")
    (tmp_path / "outside.jsonl").write_text(metrics_line(1, {"secret": 1.0}))
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to(tmp_path / "outside.jsonl")
    folder = WatchedFolder(tmp_path / "runs")
    assert told(folder) == {} and folder.curves([], ["secret"], "")["curves"] == {"secret": {}}


def test_a_link_to_a_folder_of_runs_is_not_followed(write_run: Write, tmp_path: Path) -> None:
    """`tvo ls` follows it; the page shows what stands below its folder and nothing else."""
    write_run("a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs" / "a").rename(tmp_path / "outside" / "a")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "outside")
    assert told(WatchedFolder(tmp_path / "runs")) == {}


def test_the_newest_step_is_shown_where_no_file_is_named(write_run: Write, tmp_path: Path) -> None:
    run = write_run("a")
    (run / "responses" / "evaluation-step-000009.jsonl").write_text("{}\n")
    folder = WatchedFolder(tmp_path / "runs")
    folder.runs()
    found = folder.responses("a", None)
    assert found["file"] == "step-000009.jsonl" and found["rows"][0]["completion"] == "2"
    assert folder.responses("../a", None)["files"] == []


def test_what_an_answer_has_no_time_for_is_read_before_the_next(
    write_run: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that may not read at all; the thread that it leaves behind reads."""
    write_run("a")
    folder = WatchedFolder(tmp_path / "runs")
    folder.runs()
    monkeypatch.setattr(watched_folder, "READING", 0.0)
    assert folder.curves([], ["reward/mean"], "")["unread"] == 1
    monkeypatch.setattr(watched_folder, "READING", 1.0)
    for thread in [one for one in threading.enumerate() if one.name == "reading"]:
        thread.join()
    assert folder.curves([], ["reward/mean"], "")["curves"]["reward/mean"]["a"]["values"] == 9
