"""A run read from its folder, in whatever state it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tvo_cli as tvo
from tests.comparison.conftest import write_run


def test_metrics_and_evaluations_are_frames_by_step(tmp_path: Path) -> None:
    run = tvo.load(write_run(tmp_path, "tvo", 0, 0.8, curve=(0.1, 0.3, "nan")))
    assert list(run.metrics.index) == [1, 2, 3] and run.metrics.index.name == "step"
    assert list(run.metrics["reward/mean"][:2]) == [0.1, 0.3] and run.metrics["reward/mean"].isna().iloc[2]
    assert run.evaluations["eval/pass@1"].to_dict() == {3: 0.8}


def test_a_run_that_lasts_is_read_anew_each_time(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "tvo", 0, None, curve=(0.1,))
    run = tvo.load(str(folder))
    assert (len(run.metrics), len(run.evaluations), run.summary) == (1, 0, {})
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 2, "reward/mean": 0.2}) + "\n")
    assert len(run.metrics) == 2


def test_a_run_says_what_became_of_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "tvo", 0, 0.5, collapsed_at=2)
    run = tvo.load(folder)
    assert (run.state, run.verdict, run.config["algorithm"]["name"]) == ("finished", "collapsed", "tvo")
    (folder / "state.json").write_text(json.dumps({"state": "failed", "reason": "out of memory"}))
    assert (run.state, run.reason) == ("failed", "out of memory") and "failed, collapsed" in repr(run)
    (folder / "collapse.json").unlink()
    assert run.verdict == "not watched"


def test_a_run_is_found_from_any_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, "tvo", 0, 0.5, name="a")
    monkeypatch.chdir(tmp_path)
    run = tvo.load("a")
    monkeypatch.chdir("/")
    assert run.config["seed"] == 0 and tvo.load(run) == run


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(tvo.UserError, match="is not a run folder"):
        tvo.load(tmp_path)
