"""Yamls of the user's own, and refusals that come before a job, a folder or torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError

RUN = ["output_dir=x", "algorithm=grpo"]

slow = pytest.mark.slow
USERS = {
    "reward/mine.yaml": "# mine\ndefaults: [math, _self_]\n_target_: myreward.brevity\n",
    "rollout/mine.yaml": "# mine\ndefaults: [default, _self_]\npromts: 3\n",
    "rollout/text.yaml": '# mine\ndefaults: [default, _self_]\ntemperature: "0.5"\n',
}


@pytest.mark.parametrize(
    ("by", "word", "file", "said"),
    [
        ("--config-dir", "reward=mine", "reward/mine.yaml", "reward._target_=myreward.brevity: nothing is built there"),
        pytest.param("searchpath", "rollout=mine", "rollout/mine.yaml", "Nearest: rollout.prompts", marks=slow),
        pytest.param("--config-dir", "rollout=text", "rollout/text.yaml", "without quotes it is a number", marks=slow),
    ],
)
def test_a_users_yaml_is_held_against_the_declaration_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str, word: str, file: str, said: str
) -> None:
    from tvo_cli.cli.main import main

    for name, text in USERS.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(text)
    place = [by, f"{tmp_path}/conf"] if by.startswith("--") else [f"hydra.searchpath=[file://{tmp_path}/conf]"]
    assert main(["train", *place, word, f"output_dir={tmp_path}/run"]) == 2
    printed = capsys.readouterr().err
    assert f"{file}, line 3" in printed and said in printed
    assert printed.count("\n") == 2, "what is being loaded, and the refusal"
    assert not (tmp_path / "run").exists()


def test_a_number_of_a_users_yaml_is_one_however_it_is_spelled(tmp_path: Path) -> None:
    """Plain YAML 1.1 reads 1e-3 as text."""
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "mine.yaml").write_text("# mine\ndefaults: [default, _self_]\nimportance_cap: 25e-1\n")
    found = config.compose([*RUN, f"hydra.searchpath=[file://{tmp_path}]", "trainer=mine"])
    assert found.trainer.importance_cap == 2.5


@pytest.mark.slow
def test_a_sweep_is_refused_before_its_first_job(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tvo_cli", "train", "-m", "trainer.steps=5,0", "logger=none", "output_dir=s"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "tvo: trainer.steps=0: must be a whole number, more than 0." in done.stderr
    assert list(tmp_path.iterdir()) == [], "a job has begun, or an empty folder is left"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["train", "+optimizer.make.betaz=1"],
        ["train", "seed=1.5"],
        ["train", "--dry-run", "+rollout.promts=3"],
        ["eval", "protocol=nemo"],
        ["eval", "model.path=RUN", "evaluation.limt=3"],
        ["sft", "modell=tiny"],
        ["variance", "+rollout.promts=3"],
        ["export", "--dry-run", "no_run", "out"],
        ["replay", ".", "--step", "3"],
        ["train", "dataset=jsonl", "dataset.path=nope.jsonl"],
        ["train", "model.path=./nope"],
        ["train", "rollout.minibatches=7"],
        ["train", "--dry-run", "dataset=jsonl", "dataset.path=nope.jsonl"],
        ["eval", "model.path=./nope"],
        ["sft", "dataset=jsonl", "dataset.path=nope.jsonl"],
        ["variance", "model.path=./nope"],
        ["check-algorithm", "nope"],
        ["prune", "nope"],
    ],
)
def test_a_refusal_loads_no_torch(words: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\nfrom tvo_cli.cli.main import main\ncode = main(sys.argv[1:])\n"
        "assert code == 2 and 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_keyword_of_a_users_yaml_is_no_second_method(tmp_path: Path) -> None:
    (tmp_path / "algorithm").mkdir()
    text = "# @package _global_\n# mine\ndefaults: [grpo, _self_]\nalgorithm: {objective: {foo: 1}}\n"
    (tmp_path / "algorithm" / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=r"^algorithm\.objective\.foo=1: tvo_cli\.objective\.Objective has no such"):
        config.compose(["output_dir=x", "algorithm=mine", f"hydra.searchpath=[file://{tmp_path}]"])
