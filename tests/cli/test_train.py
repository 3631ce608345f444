"""`tvo train`: Hydra's words untouched, run folders, sweeps, and what a failure looks like."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
import yaml

from tvo_cli.cli.launch import HydraTask
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.tracking import Tracker, run_status
from tvo_cli.tracking.atomic_files import write_json_atomically

from .conftest import Experiment

NONE = "logger=none"
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


FAILURES = [
    (UserError("dataset.path", "a.jsonl", "line 3 has no answer."), 2, "dataset.path=a.jsonl: line 3 has no answer."),
    (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 2, "disk is full while writing /x/y"),
    (RuntimeError("I/O error: No space left on device (os error 28)"), 2, "disk is full"),
    (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 2, "/x/y: no permission"),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x/y"), 2, "/x/y: No such file or directory"),
    (MemoryError(), 2, "out of memory"),
    (KeyboardInterrupt(), 130, "interrupted"),
]


@pytest.mark.parametrize(("error", "code", "said"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_failure_is_one_line_and_leaves_nothing(
    experiment: Experiment,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def act(config: object) -> None:
        raise error

    experiment.act = act
    assert main(["train", NONE]) == code
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1 and printed.startswith("tvo: ") and said in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("steps", [0, 1])
def test_a_run_that_is_refused_before_its_first_step_leaves_no_folder(
    experiment: Experiment, tmp_path: Path, steps: int
) -> None:
    """The tracker has opened the folder; after a step it stays, for it holds one."""

    def train(config: object) -> None:
        with Tracker(config, Path(config.output_dir)) as tracker:  # type: ignore[attr-defined]
            (tracker._folder / "checkpoints").mkdir()
            (tracker._folder / "checkpoints" / "experiment.json").write_text("{}")
            for step in range(steps):
                tracker.log(step + 1, {"reward/mean": 0.0})
            raise UserError("rollout.max_tokens", 1024, "do not fit.")

    experiment.train = train  # type: ignore[method-assign,assignment]
    assert main(["train", NONE, "output_dir=a/b"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == (["a"] if steps else [])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    assert main(["train", NONE, "output_dir=mine"]) == 2
    assert (tmp_path / "mine" / "notes.txt").read_text() == "kept"


def test_debug_shows_the_traceback(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    def act(config: object) -> None:
        raise UserError("seed", 1, "is unlucky.")

    experiment.act = act
    assert main(["train", NONE, "--debug"]) == 2
    printed = capsys.readouterr().err
    assert "Traceback" in printed and "in act" in printed and printed.endswith("tvo: seed=1: is unlucky.\n")


def test_a_defect_keeps_its_traceback_and_its_own_code(
    experiment: Experiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.act = lambda config: 1 / 0  # type: ignore[assignment]
    assert main(["train", NONE]) == 1
    printed = capsys.readouterr().err
    assert "Traceback" in printed and printed.splitlines()[-1].startswith("tvo: internal error")


REFUSED = (
    ("algorithm=tvoo", "tvo: algorithm=tvoo: there is no such algorithm. Nearest: tvo"),
    ("lr=1e-3", "tvo: lr=1e-3: there is no such key. Nearest: optimizer.lr"),
    ("grpo", "tvo: override=grpo: has no `=`. Did you mean algorithm=grpo?"),
    ("1e-4", "tvo: override=1e-4: has no `=`. Settings are written key=value"),
    ("--lr", "tvo: option=--lr: there is no such option. Settings are written key=value"),
    ("rolout.prompts=3", "tvo: rolout.prompts=3: there is no such key. Nearest: rollout.prompts"),
    ("seed=[", "tvo: override=seed=[: cannot be read"),
    ("-cn=trian", "tvo: --config-name=trian: there is no such config. Nearest: train"),
    ("--config-dir=/nope", "tvo: --config-dir=/nope: there is no such folder."),
)


@pytest.mark.parametrize(
    ("word", "said", "multirun"),
    [
        *((*one, []) for one in REFUSED),
        *((*one, ["-m"]) for one in REFUSED[::4]),
        *(pytest.param(*one, ["-m"], marks=pytest.mark.slow) for i, one in enumerate(REFUSED) if i % 4),
    ],
)
def test_what_hydra_refuses_is_one_line(
    experiment: Experiment,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    word: str,
    said: str,
    multirun: list[str],
) -> None:
    assert main(["train", *multirun, NONE, word]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(said) and printed.count("\n") == 1
    assert experiment.configs == [] and not list(tmp_path.rglob("*.json*"))


@pytest.mark.parametrize("word", ["algorithm=tvo,grpo", "seed=range(5)", "optimizer.lr=1e-4,3e-4"])
def test_several_values_without_m(experiment: Experiment, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main(["train", NONE, word]) == 2
    assert (
        capsys.readouterr().err
        == f"tvo: override={word}: has several values. Add -m for a run of each: tvo train -m …\n"
    )
    assert experiment.configs == []


def test_a_file_in_the_way_of_the_run_folder(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("mine")
    assert main(["train", NONE, f"output_dir={tmp_path}/taken"]) == 2
    assert capsys.readouterr().err.startswith(f"tvo: output_dir={tmp_path}/taken: ")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_for_the_run_folder(experiment: Experiment, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert main(["train", NONE]) == 2
    finally:
        tmp_path.chmod(0o700)


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

    __module__ = "tvo_cli.training.session_checkpoint"
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


def test_a_traceback_quotes_no_secret(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "f00dfacec0ffee")

    def act(config: object) -> None:
        raise ValueError("refused: f00dfacec0ffee")

    experiment.act = act
    assert main(["train", NONE]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said and "refused: ***" in said and "f00dfacec0ffee" not in said


def test_a_folder_in_which_another_process_runs_is_refused_and_left_alone(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", NONE, f"output_dir={tmp_path}/run"]
    other = {
        "state": "running",
        "host": socket.gethostname(),
        "pid": os.getppid(),
        "born": run_status._process_start_time(os.getppid()),
    }
    write_json_atomically(tmp_path / "run" / run_status.STATUS_FILE, other)
    before = (tmp_path / "run" / run_status.STATUS_FILE).read_bytes()
    assert main(words) == 2
    assert f"another process is running in it ({os.getppid()} on" in capsys.readouterr().err
    assert experiment.configs == [] and (tmp_path / "run" / run_status.STATUS_FILE).read_bytes() == before
    write_json_atomically(tmp_path / "run" / run_status.STATUS_FILE, other | {"born": 1})
    assert main(words) == 0, "that process is gone; its number was given to another"


def test_a_mistyped_command_in_a_finished_runs_folder_leaves_it_finished(
    experiment: Experiment, tmp_path: Path
) -> None:
    words = ["train", NONE, f"output_dir={tmp_path}/run"]
    assert main(words) == 0
    before = (tmp_path / "run" / run_status.STATUS_FILE).read_bytes()

    def refuse(config: object) -> None:
        raise UserError("output_dir", "run", "holds a run with other settings.")

    experiment.act = refuse
    assert main([*words, "optimizer.lr=1"]) == 2
    assert (tmp_path / "run" / run_status.STATUS_FILE).read_bytes() == before

    def begin(config: object) -> None:
        (tmp_path / "run" / "command.txt").write_text("begun")
        refuse(config)

    experiment.act = begin
    assert main([*words, "optimizer.lr=1"]) == 2
    assert run_status.status_of(tmp_path / "run")[0] == "failed", "a run that had begun has failed"


def test_a_dry_run_starts_and_writes_nothing(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = ["dataset=reasoning_gym", "+dataset.options.api_key=hush"]
    assert main(["train", "--dry-run", "rollout.prompts=1000", "rollout.samples=2", *secret]) == 0
    printed = capsys.readouterr().out
    assert experiment.configs == [] and list(tmp_path.iterdir()) == []
    table, _, config = printed.partition("\n\n")
    assert yaml.safe_load(config)["rollout"]["prompts"] == 1000 and "hush" not in printed and "${" not in config
    assert "2,000" in table and "prompts × samples" in table


def test_a_dry_run_of_a_sweep_shows_its_first_job(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", "-m", "rollout.prompts=3,5", "rollout.samples=8", "seed=1,2"]) == 0
    printed = capsys.readouterr().out
    table, sizes, config = printed.split("\n\n")[:3]
    assert table.startswith("4 jobs") and table.splitlines()[1:] == [
        "job  rollout.prompts  seed  rollouts_a_batch",
        "0    3                1     24",
        "1    3                2     24",
        "2    5                1     40",
        "3    5                2     40",
    ]
    assert "24" in sizes and yaml.safe_load(config)["rollout"]["prompts"] == 3


def test_a_dry_run_of_a_presets_own_sweep_shows_what_differs_without_composing_all(
    experiment: Experiment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tvo_cli import config

    composed: list[list[str]] = []
    compose = config.compose
    monkeypatch.setattr(config, "compose", lambda words, *rest: composed.append(words) or compose(words, *rest))
    assert main(["train", "--dry-run", "-m", "experiment=rivals_small"]) == 0
    lines = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert lines[0].startswith("480 jobs;") and lines[1].split() == ["setting", "values", "which"]
    assert [line.split()[:2] for line in lines[2:5]] == [["algorithm", "24"], ["optimizer.lr", "4"], ["seed", "5"]]
    assert lines[3].endswith("5e-05, 0.0001, 0.0003, 0.001") and "Sizes may differ with algorithm" in lines[5]
    assert len(composed) <= 4, "each takes a fifth of a second of processor time"
    assert main(["train", "--dry-run", "-m", "experiment=rivals_small", "algorithm=grpo,ppo", "optimizer.lr=1e-4"]) == 0
    rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert rows[0].startswith("10 jobs") and len(rows) == 12
    assert rows[1].split() == ["job", "algorithm", "seed"] and rows[-1].split() == ["9", "ppo", "4"]


@pytest.mark.parametrize(
    ("swept", "said"),
    [
        ("optimizer.lr=1e-4,-1", "optimizer.lr=-1: must be a number, more than 0"),
        ("seed=0,1.5", "seed=1.5: must be a whole number"),
        ("algorithm=tvo,tvoo", "Nearest: tvo"),
    ],
)
def test_a_dry_run_of_a_sweep_refuses_a_later_value(
    experiment: Experiment, capsys: pytest.CaptureFixture[str], swept: str, said: str
) -> None:
    assert main(["train", "--dry-run", "-m", "seed=range(9)", swept]) == 2
    assert said in capsys.readouterr().err


def test_a_dry_run_refuses_what_a_run_refuses(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", "algorithm=tvoo"]) == 2
    assert "Nearest: tvo" in capsys.readouterr().err
