"""`tvo eval` from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tvo_cli.cli.evaluate import problem_ids_of_option
from tvo_cli.cli.main import app
from tvo_cli.cli.progress_bars import step_progress_lines
from tvo_cli.config.evaluation_choices import suites_to_evaluate_as_list
from tvo_cli.evaluation.generate_and_grade import EvaluatorProgress
from tvo_cli.tracking.terminal.evaluation_progress import _progress_lines

runner = CliRunner()


def test_suites_between_commas_are_one_run() -> None:
    assert suites_to_evaluate_as_list("evaluation=math500,aime24") == "evaluation=[math500,aime24]"
    assert suites_to_evaluate_as_list("evaluation=[math500]") == "evaluation=[math500]"
    assert suites_to_evaluate_as_list("evaluation.limit=3") == "evaluation.limit=3"
    assert suites_to_evaluate_as_list("model.path=a,b") == "model.path=a,b", "a sweep over models"


def test_ids_of_a_file_or_between_commas(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("a/1\n\n b/2 \n")
    assert problem_ids_of_option(str(tmp_path / "ids")) == ["a/1", "b/2"]
    assert problem_ids_of_option("a/1, b/2,") == ["a/1", "b/2"]


def test_evaluate_predict_and_regrade(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["eval", f"output_dir={folder}", "--limit", "4", "decoding.samples=2", "threads=1"]
    done = runner.invoke(app, [*words, "--predict-only"])
    assert done.exit_code == 0, done.output
    assert "not graded" in done.output
    done = runner.invoke(app, ["eval", "--regrade", str(folder)])
    assert done.exit_code == 0, done.output
    assert "regraded: 12 verdicts changed" in done.output
    assert "arithmetic: by problem" in done.output
    results = json.loads((folder / "results.json").read_text())["results"]["arithmetic"]
    summary = json.loads((folder / "summary.json").read_text())["suites"]["arithmetic"]
    assert results["avg@2,none"] == summary["avg"]["mean"]
    assert (folder / "table.md").read_text().startswith("# packaged:tiny")
    assert runner.invoke(app, words).exit_code == 0, "the same command again has nothing left to do"


def test_the_same_command_has_the_same_folder() -> None:
    from tvo_cli import config

    def folder(*words: str) -> str:
        return str(config.compose(list(words), "eval").output_dir)

    plain = folder()
    assert plain.startswith("outputs/eval/tiny-arithmetic-")
    assert folder("evaluation.limit=3", "rollout.batch_size=9", "evaluation.base=x") == plain
    others = [("decoding.samples=2",), ("model.path=outputs/train/run",), ("protocol=boxed",), ("evaluation.seed=1",)]
    assert len({plain, *(folder(*words) for words in others)}) == 5
    assert folder("model.path=outputs/train/run").startswith("outputs/eval/train-run-arithmetic-")
    policy = "outputs/train/tvo-s0/checkpoints/step-000030/policy"
    assert folder(f"model.path={policy}").startswith("outputs/eval/train-tvo-s0-step-000030-arithmetic-")
    assert folder("model.path=a/checkpoints/step-000002").startswith("outputs/eval/a-step-000002-arithmetic-")


@pytest.mark.slow
@pytest.mark.parametrize("word", ["evaluation=[]", "evaluation.limit=0", "evaluation.pass_at=[99]", "evaluation=math"])
def test_what_cannot_be_leaves_nothing_behind(tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = runner.invoke(app, ["eval", word, "output_dir=run"])
    assert done.exit_code == 2, done.output
    assert list(tmp_path.iterdir()) == []


def test_the_last_step_of_a_fine_tuning_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    report = step_progress_lines(34, "loss", every=20)
    for step in range(1, 35):
        report(step, 0.5)
    assert capsys.readouterr().out.splitlines() == [f"step {n}/34  loss 0.5000" for n in (" 1", "20", "34")]


def test_progress_in_a_log_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 2.0, 30.0, 31.0])
    monkeypatch.setattr("tvo_cli.cli.progress_bars.time.monotonic", lambda: next(now))
    show = _progress_lines()
    for done in (10, 20, 40, 100):
        show(EvaluatorProgress("math500", done, 100, done // 2, done))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "math500: 10/100 50.0% right",
        "math500: 40/100 50.0% right, about 1:00 left",
        "math500: 100/100 50.0% right",
    ]
