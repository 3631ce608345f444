"""A run in its folder: which folders are refused before anything is written."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, OmegaConf

from tvo_cli.errors import UserError
from tvo_cli.job.run_in_folder import run_in_folder
from tvo_cli.sweep.refused_sweeps import check_folder_holds_no_run
from tvo_cli.sweep.sweep_index import SweepIndex
from tvo_cli.tracking import run_status


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


def live_elsewhere(folder: Path) -> Path:
    """A folder in which a process of another machine runs, which has just begun."""
    folder.mkdir(parents=True)
    (folder / "state.json").write_text('{"state": "running", "command": "train", "host": "elsewhere", "pid": 1}')
    return folder


def named_by_the_second(place: Path, **more: str) -> DictConfig:
    return OmegaConf.create(
        {"run_name": "grpo-s0-${now:%Y}", "output_dir": str(place / f"grpo-s0-{date.today():%Y}"), **more}
    )


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    setup_globals()
    ours = live_elsewhere(tmp_path / f"grpo-s0-{date.today():%Y}")
    live_elsewhere(tmp_path / f"{ours.name}-2")
    config = named_by_the_second(tmp_path)
    seen = run_in_folder(lambda config: (config.output_dir, config.run_name), config, "train", ["seed=0"])
    assert seen == (f"{ours}-3", f"{ours.name}-3") and run_status.status_of(Path(f"{ours}-3"))[0] == "finished"
    assert f"this one is in {ours}-3" in caplog.text


@pytest.mark.parametrize(
    ("word", "more"),
    [
        ("output_dir=mine", {}),
        ("run_name=mine", {}),
        ("seed=0", {"run_name": "mine"}),
        ("seed=0", {"run_name": "x-${now:%Y}"}),
    ],
)
def test_a_folder_that_somebody_named_is_refused_while_another_process_runs_in_it(
    tmp_path: Path, word: str, more: dict[str, str]
) -> None:
    setup_globals()
    ours = live_elsewhere(tmp_path / f"grpo-s0-{date.today():%Y}")
    with pytest.raises(UserError, match="another process is running in it"):
        run_in_folder(lambda config: None, named_by_the_second(tmp_path, **more), "train", [word])
    assert list(tmp_path.iterdir()) == [ours]


def test_a_run_that_is_refused_for_one_that_began_meanwhile_removes_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the folder empty; the one that comes second must not take it for its own."""
    ours = tmp_path / "run"

    def enter(heartbeat: run_status.Heartbeat) -> None:
        ours.rmdir()
        (live_elsewhere(ours) / "config.yaml").write_text("theirs")
        raise run_status.FolderInUse("output_dir", ours, "another process is running in it.")

    monkeypatch.setattr(run_status.Heartbeat, "__enter__", enter)
    with pytest.raises(UserError, match="another process"):
        run_in_folder(lambda config: None, OmegaConf.create({"output_dir": str(ours)}), "train", [])
    assert (ours / "config.yaml").read_text() == "theirs"


def test_a_sweep_in_the_folder_of_a_run_is_refused(tmp_path: Path) -> None:
    check_folder_holds_no_run(tmp_path)
    (tmp_path / "state.json").write_text('{"state": "finished"}')
    with pytest.raises(UserError, match="holds a single run"):
        check_folder_holds_no_run(tmp_path)
