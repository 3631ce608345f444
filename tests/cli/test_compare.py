"""`tvo compare` as it is typed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.comparison.conftest import write_run
from tests.pages.blocks import ROOT, blocks_of
from tests.runs.test_gather import write_evaluation
from tvo_cli.cli.main import main

RUNS = str(Path(__file__).parent.parent / "comparison" / "fixture_runs")


def test_verdicts_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", RUNS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "21 runs, eval/pass@1 by algorithm"
    verdicts = [line for line in lines if " − GRPO = " in line]
    assert len(verdicts) == 6 and lines.index(verdicts[0]) < 5  # two at own rates, four at shared ones


@pytest.mark.parametrize("form", ["json", "markdown", pytest.param("html", marks=pytest.mark.slow)])
def test_formats_are_printed(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", RUNS, "--format", form, "--baseline", "ppo", "--by", "algorithm"]) == 0
    out = capsys.readouterr().out
    starts = {"json": "{", "markdown": "# 21 runs", "html": "<!doctype html>"}
    assert out.startswith(starts[form]) and "TVO − PPO" in out
    if form == "json":
        assert json.loads(out)["sections"][0]["baseline"] == "ppo"


@pytest.mark.slow
def test_out_holds_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", RUNS, "--out", str(tmp_path / "report"), "--x", "hours"]) == 0
    names = {path.relative_to(tmp_path / "report").as_posix() for path in (tmp_path / "report").rglob("*.*")}
    assert {
        "report.html",
        "report.md",
        "tables.tex",
        "comparison.json",
        "figures/rates.svg",
        "figures/law.png",
    } <= names
    assert "written:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare"], "Missing argument"),
        (["compare", "nowhere"], "runs=nowhere: there is no such folder or file."),
        (["compare", RUNS, "--baseline", "rloo"], "--baseline=rloo: there is no such arm."),
        (["compare", RUNS, "--format", "pdf"], "--format=pdf: not a choice."),
        (["compare", RUNS, "--x", "years"], "--x=years: not a choice."),
        (["compare", RUNS, "--by", "colour"], "--by=colour: no run has such a setting."),
        (["compare", RUNS, "--metric", "accuracy"], "--metric=accuracy: no run has such a metric."),
        (["compare", RUNS, "--columns", "final"], "--columns=final: is of the paper's table, and none was asked for."),
        (["compare", RUNS, "--paper", "--columns", "x"], "--columns=x: there is no such column."),
        (["compare", RUNS, "--choose-rate", "best"], "--choose-rate=best: not a choice."),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


def test_no_torch_and_help_is_light() -> None:
    program = (
        "import sys; from tvo_cli.cli.main import main\n"
        f"code = main({['compare', RUNS]!r})\n"
        "print([name for name in ('torch', 'hydra', 'matplotlib') if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 0"
    program = (
        "import sys; from tvo_cli.cli.main import main\n"
        "main(['compare', '--help']); print([m for m in ('numpy', 'scipy', 'yaml', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of `tvo eval`: two algorithms, two seeds, two suites; and the working folder that they are below."""
    for algorithm, right in (("tvo", 7), ("grpo", 5)):
        for seed in range(2):
            policy = write_run(tmp_path / "train", algorithm, seed, 0.5) / "checkpoints" / "step-000004" / "policy"
            found = {"aime24": 3, "math500": right + seed}
            write_evaluation(tmp_path / "outputs" / "eval" / f"{algorithm}-{seed}", str(policy), found)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_page_says_of_evaluations_holds(evaluations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks_of(ROOT / "docs" / "compare.md") for line in block.text.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tvo compare outputs/eval")]
    assert len(commands) == 2
    for words in commands:
        assert main(words) == 0
        printed = capsys.readouterr().out
        assert ("suite=aime24" in printed) == ("--metric" not in words)
        assert "TVO − GRPO = +20.0 points" in printed
    assert printed.startswith("4 runs, math500/eval/pass@1 by algorithm")
    assert "note: math500/eval/pass@1: of one suite alone; 4 other runs and evaluations left out." in printed


def test_a_suite_that_nobody_evaluated_is_one_line(evaluations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "outputs/eval", "--metric", "math5/eval/pass@1"]) == 2
    printed = capsys.readouterr().err
    assert "--metric=math5/eval/pass@1: there is no such suite. Suites: aime24, math500." in printed
