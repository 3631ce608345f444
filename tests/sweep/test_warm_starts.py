"""Warm starts of the process launcher: when jobs are forked, and that a forked run is the run of a cold start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hydra_plugins.tvo_launcher.process import ProcessLauncher
from tvo_cli.errors import UserError
from tvo_cli.sweep.sweep_index import SweepJob

from .conftest import ROOT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="jobs are forked on Linux alone")
SMALL = (
    *("experiment=quick", "trainer.steps=2", "trainer.checkpoint_every=0", "logger=none", "trainer.device=cpu"),
    *("rollout.prompts=4", "evaluation.problems=8", "evaluation.samples=2", "seed=0,1", "algorithm=tvo", "run_name=r"),
)


def jobs(*states: str, processes: int = 1) -> list[SweepJob]:
    made = [SweepJob(str(n), f"s{n}", [], "", processes=processes) for n in range(len(states))]
    for job, state in zip(made, states, strict=True):
        job.state = state
    return made


def launcher(**settings: Any) -> ProcessLauncher:
    rest = {"n_jobs": 1, "gpus": "auto", "retries": 0, "timeout": None, "grace": 1, "program": None}
    return ProcessLauncher(**{**rest, **settings})


@pytest.fixture(autouse=True)
def of_tvo_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tvo train"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")


CASES = [
    ({}, jobs("waiting", "waiting"), True, True),
    ({}, jobs("waiting", "waiting"), False, False),  # GPUs are seen
    ({"warm_starts": True}, jobs("waiting", "waiting"), False, True),
    ({"warm_starts": False}, jobs("waiting", "waiting"), True, False),
    ({}, jobs("waiting"), True, False),
    ({}, jobs("waiting", "finished", "finished"), True, False),
    ({}, jobs("waiting", "waiting", processes=2), True, False),
    ({"program": ["python", "x.py"]}, jobs("waiting", "waiting"), True, False),
]


@pytest.mark.parametrize(("settings", "waiting", "on_cpu", "warm"), CASES)
def test_several_jobs_of_one_process_without_a_gpu_start_warm_unless_a_setting_says_otherwise(
    settings: dict[str, Any], waiting: list[SweepJob], on_cpu: bool, warm: bool
) -> None:
    assert launcher(**settings)._starts_warm(waiting, on_cpu) is warm


def test_a_machine_without_gpus_starts_warm_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert launcher()._starts_warm(jobs("waiting", "waiting"), False)


@pytest.mark.parametrize("settings", [{"warm_starts": "yes"}, {"warm_starts": True, "program": ["python", "x.py"]}])
def test_a_setting_that_cannot_be_followed_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"^hydra\.launcher\.warm_starts="):
        launcher(**settings)._starts_warm(jobs("waiting", "waiting"), True)


def swept(place: Path, *words: str) -> str:
    line = [sys.executable, "-m", "tvo_cli", "train", "-m", *SMALL, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    found = subprocess.run(line, cwd=place, env=environment, text=True, capture_output=True, timeout=280)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def rows(run: Path) -> list[dict[str, str]]:
    """The metrics but times and memory, each number to its last digit."""
    found = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{key: repr(row[key]) for key in row if not key.startswith(("time/", "memory/"))} for row in found]


def peak(run: Path) -> float:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return max(float(row["memory/peak"]) for row in map(json.loads, lines) if "memory/peak" in row)


@pytest.mark.slow
def test_a_forked_run_is_that_of_a_cold_start_in_every_number_and_file(tmp_path: Path) -> None:
    said = swept(tmp_path, "output_dir=sweep-1")
    assert "warm starts" in said.splitlines()[0] and "cold" not in (tmp_path / "sweep-1" / "sweep.log").read_text()
    assert "warm starts" not in swept(tmp_path, "output_dir=sweep-2", "hydra.launcher.warm_starts=false")
    for name in ("s0", "s1"):
        warm, cold = tmp_path / "sweep-1" / name, tmp_path / "sweep-2" / name
        assert rows(warm) == rows(cold) and len(rows(warm)) >= 3
        assert 0.7 < peak(warm) / peak(cold) < 1.1
        files = [sorted(str(file.relative_to(run)) for file in run.rglob("*")) for run in (warm, cold)]
        assert files[0] == files[1]
        for file in ("versions.json", "config.yaml", "command.txt"):
            texts = [(run / file).read_text().replace(run.parent.name, "SWEEP") for run in (warm, cold)]
            assert texts[0] == texts[1], file
    assert rows(tmp_path / "sweep-1" / "s0") != rows(tmp_path / "sweep-1" / "s1")
