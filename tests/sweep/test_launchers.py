"""Real sweeps of the real program: the process launcher, the launchers of others, and the optimising sweeper."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.processes import are_gone, until
from tvo_cli.tracking import run_status

from .conftest import ROOT

pytestmark = pytest.mark.slow
SMALL = (
    *("experiment=quick", "algorithm=grpo", "trainer.steps=1", "trainer.checkpoint_every=0", "logger.console=off"),
    *("rollout.prompts=4", "evaluation.problems=8", "evaluation.samples=2"),
)
ONE_FAILS = "rollout.samples=1,4"  # a group of one has no baseline


PAIRS = (  # jobs of two ranks, one after another
    *("parallel=replicate", "hydra.launcher.gpus_per_job=2", "hydra.launcher.n_jobs=1", "trainer.device=cpu"),
    "rollout.minibatches=1",
)


def tvo(place: Path, *words: str) -> tuple[int, str]:
    began = begin(place, *words)
    said, _ = began.communicate(timeout=280)
    return began.returncode, said


def begin(place: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    line = [sys.executable, "-m", "tvo_cli", *words]
    return subprocess.Popen(
        line, cwd=place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def states(folder: Path) -> dict[str, str]:
    found = folder.glob("*/state.json")
    return {place.parent.name: json.loads(place.read_text())["state"] for place in found}


def test_a_sweep_of_trainings_its_folder_found_again_and_wandb_grouped_by_it(tmp_path: Path) -> None:
    words = ("train", "-m", "logger=wandb", ONE_FAILS, *SMALL)
    code, said = tvo(tmp_path, *words)
    [folder] = (tmp_path / "outputs" / "train").iterdir()
    assert code == 2 and folder.name.startswith("samples-") and "1 of 2 finished" in said
    assert states(folder) == {"samples-1": "failed", "samples-4": "finished"}
    [kept] = (folder / "samples-4" / "wandb").glob("offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    assert folder.name.encode() in content and b"samples-4" in content and b"grpo" in content
    code, said = tvo(tmp_path, *words)
    assert code == 2 and "1 already finished" in said
    code, said = tvo(tmp_path, "train", "-m", "logger=none", "rollout.samples=2,4", *SMALL)
    assert code == 0 and "(1 of them before)" in said, "another value, in the same folder"
    code, listed = tvo(tmp_path, "ls")
    assert [line.split()[1] for line in listed.splitlines()] == ["failed", "finished", "finished"]


def test_eval_and_variance_sweep_too(tmp_path: Path) -> None:
    words = ("eval", "-m", "evaluation.seed=0,1", "evaluation.limit=4", "decoding.samples=2")
    assert tvo(tmp_path, *words)[0] == 0
    assert "(2 of them before)" in tvo(tmp_path, *words)[1]
    [folder] = (tmp_path / "outputs" / "eval").iterdir()
    assert states(folder) == {"s0": "finished", "s1": "finished"}
    small = ("batches=2", "true_batches=2", "warm_up=0", "estimators=[grpo]")
    code, said = tvo(tmp_path, "variance", "-m", "seed=0,1", *small)
    assert code == 0 and "2 of 2 finished" in said
    assert len(list((tmp_path / "outputs" / "variance").glob("*/s*/variance.json"))) == 2


def test_a_job_of_two_ranks_is_started_by_torchrun_and_its_exit_code_is_its_own(tmp_path: Path) -> None:
    words = ("train", "-m", "logger=none", ONE_FAILS, *SMALL, *PAIRS)
    code, said = tvo(tmp_path, *words)
    [folder] = (tmp_path / "outputs" / "train").iterdir()
    assert code == 2 and states(folder) == {"samples-1": "failed", "samples-4": "finished"}, said
    assert "alone: torchrun --standalone --nproc-per-node=2 -m tvo_cli train" in said
    [failed] = (job for job in json.loads((folder / "sweep.json").read_text())["jobs"] if job["state"] == "failed")
    assert failed["code"] == 2 and "rollout.samples" in failed["reason"] and failed["processes"] == 2
    assert json.loads((folder / "samples-4" / "versions.json").read_text())["environment"]["ranks"] == 2
    assert "(1 of them before)" in tvo(tmp_path, *words)[1]


def test_a_sweep_of_pairs_that_is_stopped_goes_on(tmp_path: Path) -> None:
    words = ("train", "-m", "logger=none", "seed=0,1", *SMALL, "trainer.steps=30", *PAIRS, "output_dir=sweep")
    began = begin(tmp_path, *words)
    until(lambda: any(path.stat().st_size for path in tmp_path.glob("sweep/s0/metrics.jsonl")), 120)
    began.terminate()
    said, _ = began.communicate(timeout=120)
    assert began.returncode == 75, said
    assert states(tmp_path / "sweep") == {"s0": "interrupted"}
    code, said = tvo(tmp_path, *words)
    assert code == 0 and states(tmp_path / "sweep") == {"s0": "finished", "s1": "finished"}, said
    rows = (tmp_path / "sweep" / "s0" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(row)["step"] for row in rows if "reward/mean" in row]
    assert steps == list(range(1, 31))


def test_ranks_whose_torchrun_is_killed_save_and_end(tmp_path: Path) -> None:
    words = (*SMALL, *(word for word in PAIRS if "hydra" not in word), "trainer.steps=400", "output_dir=run")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "tvo_cli"]
    with (tmp_path / "said.txt").open("w") as said:
        torchrun = subprocess.Popen(
            [*line, "train", "logger=none", *words], cwd=tmp_path, env=environment, stdout=said, stderr=said
        )
    folder = tmp_path / "run"
    try:
        until(lambda: (folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").stat().st_size, 120)
        ranks = [int(pid) for pid in Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()]
        assert len(ranks) == 2
    finally:
        torchrun.kill()
        torchrun.wait()
    assert are_gone(ranks, 60), (tmp_path / "said.txt").read_text()
    assert run_status.status_of(folder)[0] == "interrupted" and list((folder / "checkpoints").glob("step-*"))


@pytest.mark.parametrize(
    ("launcher", "module"),
    [
        ("joblib", "hydra_joblib_launcher"),
        ("submitit_local", "hydra_submitit_launcher"),
        ("ray", "hydra_ray_launcher"),
    ],
)
def test_the_launchers_of_others_run_skip_and_tell_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: str, module: str
) -> None:
    if find_spec(f"hydra_plugins.{module}") is None:
        pytest.skip(f"pip install -e '.[{launcher.removesuffix('_local')}]'")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # Ray writes an authentication token there
    monkeypatch.setenv("RAY_worker_niceness", "0")  # its 15 gets next to nothing of a busy machine
    (tmp_path / "home").mkdir()
    words = ("train", "-m", f"hydra/launcher={launcher}", "logger=none", ONE_FAILS, *SMALL)
    code, said = tvo(tmp_path, *words)
    [folder] = (tmp_path / "outputs" / "train").iterdir()
    assert code == 2 and states(folder) == {"samples-4": "finished"}, said
    ended = (folder / "samples-4" / "state.json").read_text()
    code, said = tvo(tmp_path, *words)
    assert code == 2 and (folder / "samples-4" / "state.json").read_text() == ended, "it was done again"


def commands_of_page() -> list[list[str]]:
    """The commands of docs/sweeps.md that name a launcher, as words."""
    blocks = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8").split("```")[1::2]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("tvo ") and "/launcher=" in line]
    return [words[1:] for words in commands]


@pytest.mark.parametrize("words", commands_of_page(), ids=lambda words: " ".join(words)[:60])
def test_the_pages_commands_for_launchers_compose(tmp_path: Path, words: list[str]) -> None:
    [launcher] = (word.partition("=")[2] for word in words if word.startswith("hydra/launcher="))
    module = f"hydra_{launcher.split('_')[0]}_launcher"
    if find_spec(f"hydra_plugins.{module}") is None:
        pytest.skip(f"pip install -e '.[{launcher.split('_')[0]}]'")
    code, said = tvo(tmp_path, "train", *(word for word in words if "hydra" in word), "--cfg", "hydra")
    assert code == 0 and "_target_: hydra_plugins." in said, said


def test_the_page_shows_a_command_for_every_launcher() -> None:
    named = {word.partition("=")[2] for words in commands_of_page() for word in words if "/launcher=" in word}
    assert named == {"joblib", "submitit_local", "submitit_slurm", "ray"}


def test_optuna_searches_over_the_process_launcher(tmp_path: Path) -> None:
    if find_spec("hydra_plugins.hydra_optuna_sweeper") is None:
        pytest.skip("pip install -e '.[optuna]'")
    code, said = tvo(
        tmp_path,
        *("train", "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2", "logger=none"),
        *("hydra.sweeper.direction=maximize", "optimizer.lr=tag(log,interval(1e-5,1e-2))", *SMALL),
    )
    assert code == 0, said
    [folder] = (tmp_path / "outputs" / "train").iterdir()
    best = (folder / "optimization_results.yaml").read_text()
    assert "best_value" in best and "optimizer.lr" in best and len(states(folder)) == 2
    assert "best: eval/pass@1 = " in said and "A new study" not in said
