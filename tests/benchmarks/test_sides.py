"""The benchmarks that time processes of their own, with processes that answer at once: rows, ratios and tables."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import evaluation
from benchmarks.harness import child_process
from benchmarks.harness.command_line import run
from benchmarks.harness.record import Record, read
from benchmarks.workload import step_process

STEP = {"step": 2.0, "generation": 1.0, "update": 0.75, "optimizer": 0.25, "reward": 0.1, "tokens": 100}
MEMORY = {"base_mb": 100.0, "peak_mb": 300.0, "gpu_mb": 0.0}
ANSWERS: dict[str, dict[str, Any]] = {
    "tvo_step": {"side": "tvo", "rows": [STEP], "import_s": 1.0, "readings": {"gradient/norm": 1.0}} | MEMORY,
    "trl_step": {"side": "trl", "rows": [STEP | {"step": 6.0}], "import_s": 2.0, "micro_batch": 128} | MEMORY,
    "tvo_eval": {"cpu": 2.0, "wall": 4.0, "tokens": 50, "score": 0.25, "prompt_tokens": 30.5},
    "lm_eval_side": {"cpu": 6.0, "wall": 8.0, "score": 0.5, "prompt_tokens": 30.5},
    "tvo_variance": {"rows": [STEP | {"on": on, "inside": 0.01 * on} for on in (True, False)], "peak_mb": 300.0},
}


class Processes:
    """What was started, and answers without starting it."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def run(self, command: Sequence[str], core: str = "", environment: Any = None) -> dict[str, Any]:
        self.commands.append(list(command))
        return dict(ANSWERS[command[2].rpartition(".")[2]])


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes()
    monkeypatch.setattr(child_process, "run", found.run)
    for name in ("step", "scaling", "variance_reading", "evaluation", "operations"):
        module = importlib.import_module(f"benchmarks.{name}")
        monkeypatch.setattr(module, "build", lambda work, folder, rollouts: folder)
        monkeypatch.setattr(module, "interpreter", lambda peer, given: given, raising=False)
        monkeypatch.setattr(module, "version", lambda python, package: "1.2.3", raising=False)
    monkeypatch.setattr(step_process, "version", lambda python, package: "1.2.3")
    return found


def measured(name: str, words: list[str], folder: Path) -> Record:
    path = folder / f"{name}.json"
    assert run(importlib.import_module(f"benchmarks.{name}").BENCHMARK, ["--out", str(path), *words]) == 0
    return read(path)


def test_a_step_of_both_sides_in_turn(processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--peer", "trl", "--peer-python", "theirs", "--repeats", "2", "--peer-steps", "3"]
    found = measured("step", [*words, "--", "recorder=default"], tmp_path)
    assert [row["side"] for row in found.rows("processes")] == ["tvo", "trl", "tvo", "trl"]
    ours, theirs = processes.commands[:2]
    assert ours[-1] == "recorder=default" and ours[ours.index("--steps") + 1] == "8"
    assert theirs[0] == "theirs" and theirs[theirs.index("--steps") + 1] == "3" and theirs[-2] == "--micro-batch"
    assert found.rows("processes")[1]["micro_batch"] == 128 and found.rows("processes")[0]["readings"]
    assert "step, trl/tvo | 3.00 (3.00 … 3.00)" in capsys.readouterr().out


def test_the_last_step_of_a_process_is_the_profiled_one(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = {"generation/linear maps": 1.0, "update/linear maps": 2.0, "update/outside operations": 1.0}
    answer = ANSWERS["tvo_step"] | {"rows": [STEP, STEP | {"step": 4.0}], "operations": seconds}
    monkeypatch.setitem(ANSWERS, "tvo_step", answer)
    found = measured("operations", ["--steps", "2"], tmp_path)
    assert "--operations" in processes.commands[0]
    assert found.rows("processes")[0]["profiled"] == 4.0 and found.rows("processes")[0]["step"] == [2.0]
    assert "| linear maps | 1.000 | 2.000 | 0.000 | 3.000 | 75% |" in capsys.readouterr().out


def test_scaling_runs_every_point(processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured("scaling", ["--axes", "samples", "vocabulary"], tmp_path)
    sizes = [(row["axis"], row["size"], row["work"]["samples"]) for row in found.rows("points")]
    assert sizes[:4] == [("samples", n, n) for n in (4, 8, 16, 32)] and len(sizes) == 8
    assert "| samples | 4 · 8 · 16 · 32 | grown_mb | 200 · 200 · 200 · 200 | 0.000 " in capsys.readouterr().out


def test_the_variance_reading_is_timed_in_three_modes(
    processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured("variance_reading", ["--repeats", "1"], tmp_path)
    assert [row["mode"] for row in found.rows("processes")] == ["alternate", "on", "off"]
    assert "| inside the reading, % of a step | 0.50 " in capsys.readouterr().out


def test_an_evaluation_of_both_sides_in_turn(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.evaluation.prepare", lambda folder, *rest: folder)
    found = measured("evaluation", ["--peer", "lm-eval", "--peer-python", "theirs", "--problems", "10"], tmp_path)
    assert [row["tokens"] for row in found.rows("processes")] == [50, None] * 3
    printed = capsys.readouterr().out
    assert "10 problems × 8 samples" in printed and "| ratio by cpu | 3.00 (3.00 … 3.00) |" in printed
    assert "| lm-eval, score | 0.500 (0.500 … 0.500) |" in printed
    assert processes.commands[0][-4:] == ["8", "64", "1.0", "\n"]


def test_sides_that_did_not_read_the_same_prompts_have_no_ratio(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.evaluation.prepare", lambda folder, *rest: folder)
    monkeypatch.setitem(ANSWERS, "lm_eval_side", ANSWERS["lm_eval_side"] | {"prompt_tokens": 30.25})
    words = ["--peer", "lm-eval", "--peer-python", "theirs", "--problems", "10", "--repeats", "1"]
    measured("evaluation", words, tmp_path)
    printed = capsys.readouterr().out
    assert "ratio" not in printed.replace("no ratio", "") and "lm-eval, score" in printed
    assert "not given the same prompts" in printed and "tvo 30.5, lm-eval 30.25" in printed


def test_the_first_problems_of_a_file_are_asked_and_no_newline_ends_them(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [{"problem": f"What is {i} + 1?", "answer": str(i + 1), "level": 1} for i in range(4)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(evaluation, "FOLDER", tmp_path)
    words = ["--model", str(tmp_path), "--data", str(tmp_path / "rows.jsonl"), "--problems", "2", "--repeats", "1"]
    measured("evaluation", words, tmp_path)
    assert processes.commands[0][-1] == ""
    asked = (tmp_path / "evaluation" / "pretrained" / "problems.jsonl").read_text().splitlines()
    assert list(map(json.loads, asked)) == [
        {"question": f"Problem:\nWhat is {i} + 1?\n\nSolution:", "answer": str(i + 1)} for i in range(2)
    ]
