"""The tracker: what lands in the run folder, what a resume forgets, and that no mirror can stop a run."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tvo_cli.errors import UserError
from tvo_cli.tracking import Tracker, atomic_files, metrics_file
from tvo_cli.tracking.mirrors.mirror import FailSafeMirror
from tvo_cli.tracking.mirrors.wandb_mirror import WandbMirror


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = list(logging.getLogger().handlers)
    yield
    assert logging.getLogger().handlers == before, "a tracker left a log handler behind"


def rows(folder: Path) -> list[tuple[int, float]]:
    found = metrics_file.read_metrics(folder / "metrics.jsonl")
    return [(row["step"], next(value for name, value in row.items() if name != "step")) for row in found]


def test_a_run_folder_is_complete(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    with Tracker(make_config(), tmp_path / "run") as tracker:
        tracker.log_evaluation(0, {"eval/pass@1": 0.25})
        tracker.log(1, {"reward/mean": 0.5})
        tracker.alert("entropy_floor", "0.01 below 0.05", step=1)
        summary = tracker.finish({"steps": 1, "best": float("nan")})
    folder = tmp_path / "run"
    assert rows(folder) == [(0, 0.25), (1, 0.5)]
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["lr"] == 5 and config["model"]["hf_token"] == "***"
    assert "hush" not in "".join(path.read_text() for path in folder.iterdir())
    assert "entropy_floor at step 1: 0.01 below 0.05" in (folder / "run.log").read_text()
    written = json.loads((folder / "summary.json").read_text())
    assert written["steps"] == 1 and written["best"] is None and written["name"] == "run"
    assert written["fingerprint"] == summary["fingerprint"] and len(summary["fingerprint"]) == 64
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["python"] == sys.version.split()[0] and versions["packages"]["tvo-cli"]
    assert len(versions["git"]["commit"]) == 40 and isinstance(versions["git"]["dirty"], bool)
    assert (folder / "command.txt").read_text().startswith("tvo ")


def test_a_resume_forgets_what_came_after_the_checkpoint(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    with Tracker(make_config(), tmp_path) as tracker:
        for step in (1, 2, 3):
            tracker.log(step, {"reward/mean": float(step)})
        tracker.log_evaluation(2, {"eval/pass@1": 0.2})
        tracker.log_evaluation(3, {"eval/pass@1": 0.3})
    with Tracker(make_config(), tmp_path) as tracker:
        tracker.rewind(2)
        tracker.log(3, {"reward/mean": 30.0})
        tracker.log(4, {"reward/mean": 40.0})
    assert rows(tmp_path) == [(1, 1.0), (2, 2.0), (2, 0.2), (3, 30.0), (4, 40.0)]


def test_rows_that_a_power_cut_has_lost_are_said(
    tmp_path: Path, make_config: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with Tracker(make_config(), tmp_path) as tracker:
        tracker.log(1, {"reward/mean": 1.0})
    with Tracker(make_config(), tmp_path) as tracker:
        tracker.rewind(1)
        assert "metrics.jsonl" not in caplog.text
        tracker.rewind(3)
    assert "metrics.jsonl ends at step 1, the checkpoint is of step 3: the rows between are lost" in caplog.text


def test_a_new_start_in_an_old_folder_leaves_nothing_of_the_old(
    tmp_path: Path, make_config: Callable[..., Any]
) -> None:
    for value in (1.0, 2.0):
        with Tracker(make_config(), tmp_path) as tracker:
            tracker.log_evaluation(0, {"eval/pass@1": value})
            for step in range(1, 5 if value == 1.0 else 3):
                tracker.log(step, {"reward/mean": value})
    assert rows(tmp_path) == [(0, 2.0), (1, 2.0), (2, 2.0)]


def test_an_error_is_logged_and_everything_closed(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    with pytest.raises(ZeroDivisionError), Tracker(make_config(), tmp_path) as tracker:
        tracker.log(1, {"reward/mean": 1.0})
        raise ZeroDivisionError("of zero")
    assert "stopped by ZeroDivisionError: of zero" in (tmp_path / "run.log").read_text()
    assert not (tmp_path / "summary.json").exists()


def test_a_run_that_goes_on_is_not_finished_by_its_old_summary(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    for steps in (1, 2):
        with Tracker(make_config(), tmp_path) as tracker:
            assert not (tmp_path / "summary.json").exists()
            tracker.finish({"steps": steps})
    assert json.loads((tmp_path / "summary.json").read_text())["steps"] == 2
    assert json.loads((tmp_path / "summary-previous.json").read_text())["steps"] == 1


def test_a_summary_that_cannot_be_written_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "summary.json"
    atomic_files.write_json_atomically(path, {"whole": True})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic_files.write_json_atomically(path, {"whole": False})
    assert json.loads(path.read_text()) == {"whole": True} and [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_rows_are_strict_json_lines(tmp_path: Path) -> None:
    atomic_files.write_json_lines_atomically(
        tmp_path / "responses" / "step-000010.jsonl", [{"text": "α\nβ", "x": float("inf")}, {"y": (1, 2)}]
    )
    lines = (tmp_path / "responses" / "step-000010.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"text": "α\nβ", "x": None}, {"y": [1, 2]}]


def test_a_broken_mirror_is_one_warning_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        calls = 0

        def start(self, run: object) -> None: ...

        def log(self, step: int, found: object) -> None:
            self.calls += 1
            raise ConnectionError("the service is gone")

        def alert(self, title: str, text: str) -> None: ...

        def finish(self, summary: object, exit_code: int) -> None:
            raise AssertionError("a broken mirror is left alone")

    broken = Broken()
    shielded = FailSafeMirror(broken, "wandb")  # type: ignore[arg-type]
    for step in range(3):
        shielded.log(step, {})
    shielded.finish({}, 0)
    assert broken.calls == 1
    assert [record.getMessage() for record in caplog.records] == [
        "logger=wandb failed and is off for the rest of the run: the service is gone"
    ]


def test_an_unknown_logger_and_mode_are_refused(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"logger=neptune: .*none, wandb, tensorboard, trackio, mlflow"):
        Tracker(make_config(name="neptune"), tmp_path)
    with pytest.raises(UserError, match=r"logger\.mode=on: .*auto, online, offline"):
        Tracker(make_config(name="wandb", project="p", mode="on"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_wandb_falls_back_to_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_config: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def open_run(self: WandbMirror, run: object, mode: str) -> None:
        asked.append(mode)
        if mode == "online":
            raise TimeoutError("no route")

    monkeypatch.setattr(WandbMirror, "_open", open_run)
    monkeypatch.setattr("tvo_cli.tracking.mirrors.wandb_mirror.automatic_wandb_mirror_mode", lambda: "online")
    with Tracker(make_config(name="wandb", project="p", mode="auto"), tmp_path) as tracker:
        tracker.log(1, {"reward/mean": 0.5})
    assert asked == ["online", "offline"] and "no route" in caplog.text and rows(tmp_path) == [(1, 0.5)]


def test_a_missing_tensorboard_says_what_to_install(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvo_cli.tracking.mirrors.tensorboard_mirror.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"logger=tensorboard.*pip install -e '.\[tensorboard\]'"):
        Tracker(make_config(name="tensorboard"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_opened_is_closed_when_a_later_part_cannot_be(tmp_path: Path, make_config: Callable[..., Any]) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        Tracker(make_config(), tmp_path).__enter__()


def test_wandb_is_not_imported_unless_used() -> None:
    import subprocess

    heavy = ("wandb", "torch", "tensorboard", "rich")
    program = f"import tvo_cli.tracking, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
