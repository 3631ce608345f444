"""No warning of a library reaches the user: every command runs where each is an error, and shows and logs none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
SMALL = (
    *("experiment=quick", "trainer.steps=2", "rollout.prompts=4", "evaluation.problems=8", "evaluation.samples=2"),
    "logger.console=plain",
)
EVERY = {
    "train": ("train", *SMALL, "output_dir=a", "logger=none"),
    "train with wandb": ("train", *SMALL, "output_dir=b", "algorithm=ppo", "logger=wandb"),
    "train with tensorboard": ("train", *SMALL, "output_dir=c", "algorithm=grpo", "logger=tensorboard"),
    "eval": ("eval", "model.path=a", "evaluation.limit=4", "decoding.samples=2"),
    "variance": ("variance", "batches=2", "true_batches=2", "warm_up=0", "estimators=[grpo]", "output_dir=v"),
    "sft": ("sft", "dataset=addition", "output_dir=d", "steps=2", "rows=8", "problems=8", "samples=1"),
    "compare": ("compare", "a", "b", "c", "--out", "report", "--force"),
}

MADE = {"train": "a", "train with wandb": "b", "train with tensorboard": "c"}
NEEDS = {"eval": ("train",), "compare": tuple(MADE)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working folder: later commands read what earlier ones wrote."""
    return tmp_path_factory.mktemp("runs")


def run(folder: Path, *words: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    line = [sys.executable, "-W", "error", "-m", "tvo_cli", *words]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command", list(EVERY))
def test_no_warning_of_a_library_reaches_the_user(command: str, folder: Path) -> None:
    if command == "train with tensorboard":
        pytest.importorskip("tensorboard")
    for earlier in NEEDS.get(command, ()):  # another worker may have run it, in a folder of its own
        if not (folder / MADE[earlier]).exists():
            run(folder, *EVERY[earlier])
    code, said = run(folder, *EVERY[command])
    assert code == 0, said[-3000:]
    assert "Warning" not in said and "deprecated" not in said
    for log in folder.glob("*/run.log"):
        assert "Warning" not in log.read_text(encoding="utf-8")
