"""`tvo train`: overrides and configs are Hydra's, folders are ours, a sweep's jobs go on without each other."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.test_train_refusals import NONE
from tvo_cli.cli.launch import HydraTask
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.parallel.launched_process import LaunchedProcess
from tvo_cli.tracking import run_status

from .conftest import Experiment

HERE = "hydra/launcher=basic"  # in this process, where the stand-in is


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_overrides_reach_the_run_untouched(experiment: Experiment) -> None:
    free = ["dataset=reasoning_gym", "+dataset.options.deep=[1,'two, three']", "~stability.rules.kl_ceiling"]
    words = ["algorithm=grpo", NONE, "rollout.prompts=32", *free]
    assert main(["train", *words]) == 0
    [config] = experiment.configs
    assert config.algorithm.name == "grpo" and config.rollout.prompts == 32
    assert config.dataset.options.deep == [1, "two, three"] and "kl_ceiling" not in config.stability.rules
    assert sys.argv[0] != "tvo train"


def test_the_run_folder_is_short_readable_and_ours_alone(experiment: Experiment, tmp_path: Path) -> None:
    assert main(["train", NONE, "seed=3"]) == 0
    folder = Path(experiment.configs[0].output_dir)
    assert folder.is_absolute() and folder.parent == tmp_path / "outputs" / "train"
    assert folder.name.startswith("tvo-s3-") and len(folder.name) <= 24
    found = [
        "card.txt",
        "command.txt",
        "config.yaml",
        "diagnosis.json",
        "metrics.jsonl",
        "run.log",
        "state.json",
        "summary.json",
        "versions.json",
    ]
    assert files(tmp_path) == [f"outputs/train/{folder.name}/{name}" for name in found]
    assert (folder / "command.txt").read_text() == "tvo train logger=none seed=3\n"
    written = yaml.safe_load((folder / "config.yaml").read_text())
    assert written["output_dir"] == str(folder) and written["seed"] == 3
    assert "${" not in (folder / "config.yaml").read_text()


def test_output_dir_is_the_run_folder(experiment: Experiment, tmp_path: Path) -> None:
    assert main(["train", NONE, f"output_dir='{tmp_path}/my run'"]) == 0
    assert experiment.configs[0].output_dir == f"{tmp_path}/my run"
    assert (tmp_path / "my run" / "summary.json").is_file()


@pytest.mark.slow
def test_a_multirun_is_hydras(experiment: Experiment, tmp_path: Path) -> None:
    assert main(["train", "-m", "algorithm=tvo,grpo", "seed=0,1", NONE, HERE]) == 0
    assert [(c.algorithm.name, c.seed) for c in experiment.configs] == [
        ("tvo", 0),
        ("tvo", 1),
        ("grpo", 0),
        ("grpo", 1),
    ]
    folders = [Path(config.output_dir) for config in experiment.configs]
    assert len({folder.parent for folder in folders}) == 1 and folders[0].parent.parent == tmp_path / "outputs/train"
    assert folders[3].name == "grpo+s1"
    command = (folders[3] / "command.txt").read_text()
    assert command == f"tvo train algorithm=grpo seed=1 logger=none output_dir={folders[3]}\n"


@pytest.mark.slow
def test_the_jobs_of_a_sweep_go_below_output_dir(experiment: Experiment, tmp_path: Path) -> None:
    assert main(["train", "-m", "seed=0,1", NONE, HERE, f"output_dir={tmp_path}/sweep"]) == 0
    assert [c.output_dir for c in experiment.configs] == [f"{tmp_path}/sweep/s0", f"{tmp_path}/sweep/s1"]


@pytest.mark.slow
def test_one_failing_job_does_not_stop_the_others_nor_pass_for_success(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(config: object) -> None:
        if config.seed == 1:  # type: ignore[attr-defined]
            raise UserError("seed", 1, "is unlucky.")

    experiment.act = act
    assert main(["train", "-m", "seed=0,1,2", NONE, HERE, f"output_dir={tmp_path}/sweep"]) == 2
    said = capsys.readouterr().err
    assert said == "tvo: seed=1: is unlucky.\n"
    assert [c.seed for c in experiment.configs] == [0, 1, 2]
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir() if path.is_dir()) == ["s0", "s2"]


def test_cfg_and_info_are_hydras(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "algorithm=grpo", "--cfg", "job"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["algorithm"]["name"] == "grpo"
    assert main(["train", "--info", "config"]) == 0
    assert experiment.configs == []


@pytest.mark.slow
def test_a_config_dir_of_ones_own(experiment: Experiment, tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "experiment"
    mine.mkdir(parents=True)
    (mine / "own.yaml").write_text("# @package _global_\nseed: 77\n")
    assert main(["train", "--config-dir", str(tmp_path / "mine"), "experiment=own", NONE]) == 0
    assert experiment.configs[0].seed == 77


class Interrupted(Exception):
    """The run's own, as a launcher's signal makes it."""

    __module__ = "tvo_cli.training.resume.session_checkpoint"
    signal = signal.SIGUSR2


def test_a_launchers_own_signal_is_handed_on_once_all_is_saved(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """submitit sends SIGUSR2; its handler queues the job again and leaves."""
    queued: list[str] = []

    def act(config: object) -> None:
        (tmp_path / "run" / "checkpoint").touch()
        raise Interrupted("saved")

    def queue_again(number: int, frame: object) -> None:
        queued.append(run_status.status_of(tmp_path / "run")[0])
        raise SystemExit(-1)

    experiment.act = act
    before = signal.signal(signal.SIGUSR2, queue_again)
    try:
        assert main(["train", NONE, f"output_dir={tmp_path}/run"]) == 75 and queued == [], "at home nobody listens"
        monkeypatch.setattr("tvo_cli.cli.launch.HydraTask.__init__", _elsewhere)
        main(["train", NONE, f"output_dir={tmp_path}/run"])
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert queued == ["interrupted"]


def _elsewhere(jobs: HydraTask, *words: object) -> None:
    jobs.__dict__.update(zip(("task", "command", "debug"), words, strict=True), codes=[], elsewhere=True)


def test_a_job_that_a_launcher_started_as_several_tasks_is_refused(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """hydra.launcher.tasks_per_node=2 of submitit: both tasks would write one folder."""
    monkeypatch.setattr("tvo_cli.cli.launch.HydraTask.__init__", _elsewhere)
    monkeypatch.setattr("tvo_cli.cli.launch.launched_process", lambda: LaunchedProcess(1, 2, 1, 2, "srun"))
    assert main(["train", NONE, f"output_dir={tmp_path}/run"]) == 2
    assert "hydra.launcher.tasks_per_node=2: a job of this launcher is one process." in capsys.readouterr().err
    assert experiment.configs == [] and not (tmp_path / "run" / "state.json").exists()
