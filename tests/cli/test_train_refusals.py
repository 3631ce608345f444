"""What `tvo train` refuses is one line, leaves no folder behind, and has its exit code."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.tracking import Tracker, run_status
from tvo_cli.tracking.atomic_files import write_json_atomically

from .conftest import Experiment

NONE = "logger=none"
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

    def train(config: object, ranks: object = None) -> None:
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
        ("--cfg=hydra", "tvo: option=--cfg: shows the config of one run, and -m makes many.", ["-m"]),
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


def test_a_folder_without_a_key_is_given_the_keys_of_folders(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").mkdir()
    assert main(["train", NONE, "runs"]) == 2
    assert (
        capsys.readouterr().err == "tvo: override=runs: has no `=`. Did you mean model.path=runs or output_dir=runs?\n"
    )


def test_a_choice_in_the_folder_of_tvo_new_is_told_of(
    experiment: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own/conf/reward").mkdir(parents=True)
    (tmp_path / "own/conf/reward/short.yaml").write_text("defaults: [math, _self_]\n")
    assert main(["train", NONE, "reward=short"]) == 2
    assert "; own/conf/reward/short.yaml is read from inside own/ (cd own)" in capsys.readouterr().err


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


@pytest.mark.slow
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
