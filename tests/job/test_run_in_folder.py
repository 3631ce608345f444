"""A run in its folder: which folders are refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tvo_cli.errors import UserError
from tvo_cli.job.run_in_folder import run_in_folder
from tvo_cli.sweep.refused_sweeps import check_folder_holds_no_run
from tvo_cli.sweep.sweep_index import SweepIndex


def test_a_run_in_the_folder_of_a_sweep_is_refused(tmp_path: Path) -> None:
    """`run_name=one` names a sweep's folder and a run's alike: the jobs' folders would lie among the run's files."""
    SweepIndex(tmp_path).save()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="holds a sweep"):
        run_in_folder(lambda config: None, OmegaConf.create({"output_dir": str(tmp_path)}), "train", [])
    assert sorted(tmp_path.iterdir()) == before


def test_another_command_in_the_folder_of_a_run_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    """`tvo eval model.path=RUN output_dir=RUN` would take the place of the run's config.yaml and summary.json."""
    (tmp_path / "state.json").write_text('{"state": "finished", "command": "train"}')
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    config = OmegaConf.create({"output_dir": str(tmp_path)})
    with pytest.raises(UserError, match="holds what `tvo train` wrote"):
        run_in_folder(lambda config: (tmp_path / "config.yaml").write_text("lost"), config, "eval", [])
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before
    run_in_folder(lambda config: None, config, "train", [])
    assert (tmp_path / "state.json").is_file(), "the same command goes on"


def test_a_sweep_in_the_folder_of_a_run_is_refused(tmp_path: Path) -> None:
    check_folder_holds_no_run(tmp_path)
    (tmp_path / "state.json").write_text('{"state": "finished"}')
    with pytest.raises(UserError, match="holds a single run"):
        check_folder_holds_no_run(tmp_path)
