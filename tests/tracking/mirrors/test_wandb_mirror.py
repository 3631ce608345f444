"""W&B as a mirror: offline in the run folder without a key or a home, and grouped by sweeps."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tvo_cli.tracking import Tracker
from tvo_cli.tracking.mirrors import wandb_file, wandb_mirror
from tvo_cli.tracking.mirrors.wandb_id import wandb_run_id
from tvo_cli.tracking.mirrors.wandb_mirror import automatic_wandb_mirror_mode


def test_wandb_goes_offline_by_itself_without_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert automatic_wandb_mirror_mode() == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password x\n")
    assert automatic_wandb_mirror_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert automatic_wandb_mirror_mode() == "disabled"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither HOME nor an entry in passwd, as for a uid that a container was given; the working folder is empty."""

    def nobody(of: object) -> object:
        raise KeyError(f"uid not found: {of}")

    for name in (
        "HOME",
        "WANDB_MODE",
        "WANDB_API_KEY",
        "WANDB_CACHE_DIR",
        "WANDB_CONFIG_DIR",
        "WANDB_DATA_DIR",
        "NETRC",
    ):
        monkeypatch.setenv(name, "")  # so that what the product sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(RuntimeError):
        Path.home()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.slow
def test_without_a_home_it_is_offline_in_the_run_folder(
    homeless: Path, tmp_path: Path, make_config: Callable[..., Any]
) -> None:
    import wandb

    wandb.teardown()  # what it has read of a home in this process
    with Tracker(make_config(name="wandb", project="p", mode="auto"), tmp_path / "run") as tracker:
        tracker.log(1, {"reward/mean": 0.5})
    wandb.teardown()
    log = (tmp_path / "run" / "run.log").read_text()
    assert log.count("no API key") == 1 and "failed" not in log
    [kept] = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert wandb_file.rows_in_wandb_file(kept) == {(1, False)}
    assert list(homeless.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "environment", "said"),
    [
        ("auto", "offline", "wandb: WANDB_MODE=offline, so the run is kept offline"),
        ("auto", "dryrun", "wandb: WANDB_MODE=offline, so the run is kept offline"),
        ("auto", "", "wandb: no API key, so the run is kept offline"),
        ("offline", "", "wandb: logger.mode=offline, so the run is kept offline"),
        ("disabled", "", ""),
    ],
)
def test_why_it_is_offline_is_said(
    tmp_path: Path,
    make_config: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    environment: str,
    said: str,
) -> None:
    monkeypatch.setenv("WANDB_MODE", environment)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setattr("tvo_cli.tracking.mirrors.wandb_mirror.WandbMirror._open", lambda *args: None)
    with Tracker(make_config(name="wandb", project="p", mode=asked), tmp_path / "run"):
        pass
    log = (tmp_path / "run" / "run.log").read_text()
    assert (said in log) if said else "offline" not in log
    assert log.count("API key") == said.count("API key")


def test_the_run_id_stays_with_the_folder(tmp_path: Path) -> None:
    first, second = wandb_run_id(tmp_path / "a"), wandb_run_id(tmp_path / "b")
    assert wandb_run_id(tmp_path / "a") == first != second


@pytest.mark.slow
def test_a_wandb_run_offline_is_inside_the_run_folder_and_said_once(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "none"))
    with Tracker(make_config(name="wandb", project="p", mode="auto"), tmp_path / "run") as tracker:
        tracker.log(1, {"reward/mean": 0.5})
        tracker.alert("rule", "text", step=1)
        tracker.finish({"steps": 1})
    log = (tmp_path / "run" / "run.log").read_text()
    assert log.count("no API key") == 1 and "wandb sync" in log and "failed" not in log
    [kept] = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert kept.stem == f"run-{wandb_run_id(tmp_path / 'run')}" and kept.stat().st_size > 0
    assert [path for path in home.rglob("*") if path.is_file()] == []


class RunStandIn(dict[str, Any]):
    """An offline run of the wandb package, which remembers how it was ended."""

    offline, disabled = True, False

    def __init__(self) -> None:
        super().__init__()
        self.summary: dict[str, object] = {}
        self.ended: list[int] = []

    def define_metric(self, *words: object, **more: object) -> None: ...

    def log(self, row: object, step: int | None = None) -> None: ...

    def finish(self, exit_code: int) -> None:
        self.ended.append(exit_code)


@pytest.mark.parametrize(
    ("marker", "group"), [("sweep.json", "lr-ab12cd"), ("multirun.yaml", "lr-ab12cd"), ("", "tvo")]
)
def test_wandb_groups_the_jobs_of_a_sweep_and_tells_algorithms_apart(
    tmp_path: Path, make_config: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, marker: str, group: str
) -> None:
    opened: list[dict[str, Any]] = []
    run = RunStandIn()
    stand_in = ModuleType("wandb")
    vars(stand_in).update(init=lambda **words: (opened.append(words), run)[1], Settings=dict)
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    folder = tmp_path / "lr-ab12cd" / "tvo+s0"
    folder.mkdir(parents=True)
    if marker:
        (folder.parent / marker).write_text("{}")
    with Tracker(make_config(name="wandb", project="p", mode="offline"), folder) as tracker:
        tracker.log(1, {"reward/mean": 0.5})
    [words] = opened
    assert (words["group"], words["job_type"], words["name"]) == (group, "tvo", "tvo+s0")
    assert words["tags"] == ["tvo", "tiny", "arithmetic"] and run.ended == [0]


def test_the_folders_of_each_run_are_its_own_and_the_users_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_mirror, "_placed", {})
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    monkeypatch.setenv("WANDB_CACHE_DIR", "mine")
    for name in ("a", "b"):
        wandb_mirror._keep_wandb_inside_run_folder(tmp_path / name)
        assert os.environ["WANDB_DATA_DIR"] == str(tmp_path / name / "data")
    assert os.environ["WANDB_CACHE_DIR"] == "mine"
