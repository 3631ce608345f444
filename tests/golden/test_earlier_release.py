"""What version 0.1 wrote goes on: a run resumes, its recorded step replays, its sweep is complete and compares.

release_0_1/ was made by the code of commit f7da6a6, before modules moved: a network of 8 units, two steps, the second
recorded, and a sweep of two jobs; folders of its machine were taken out of the texts. `tvo` has become another recipe
since: under its words alone both are refused, with the words that go on.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tvo_cli.cli.main import main
from tvo_cli.experiment import replay

MADE = Path(__file__).parent / "release_0_1"
WORDS = (
    *("model=custom", "model.path=model", "dataset=arithmetic", "rollout.prompts=4"),
    *("rollout.samples=2", "rollout.max_tokens=6", "rollout.epochs=1", "rollout.minibatches=2", "trainer.threads=1"),
    *("trainer.checkpoint_every=1", "trainer.keep=1", "logger=none", "logger.console=off", "evaluation=off"),
)


NOW = ("algorithm=tvo_one_response", "algorithm.name=tvo")  # with the sizes below TVO of 0.1 to the letter


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(MADE, tmp_path / "made")
    monkeypatch.chdir(tmp_path / "made")
    return tmp_path / "made"


def test_a_run_resumes(made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tvo_cli.report.run_plot.draw_run_figure", lambda run: [])
    words = [*WORDS, "recorder.steps=[2]", "trainer.steps=3", "output_dir=run"]
    assert main(["train", "algorithm=tvo", *words]) == 2
    assert f"with {' '.join(NOW)} this goes on" in capsys.readouterr().err
    assert main(["train", *NOW, *words]) == 0
    rows = [json.loads(line) for line in (made / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3] and rows[2]["rollouts"] == 24
    assert "from step-000002" in (made / "run" / "run.log").read_text()


def test_a_recorded_step_replays(made: Path) -> None:
    """Bits are those of one processor; the order of the minibatches and the rates are everybody's."""
    record, replayed = replay(made / "run", 2, [])
    assert record["step"] == 2 and replayed[0].order == record["order"]
    assert replayed[0].work.report.rates == pytest.approx([2e-5, 2e-5])
    assert max(replayed[0].work.report.divergences) < 1e-6  # two steps of 2e-5 hardly move it; 3.7e-8 was recorded


def test_a_sweep_is_complete_and_compares(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "recorder=off", "trainer.steps=2", "seed=0,1", "output_dir=sweep"]
    assert main(["train", "-m", *NOW, *words]) == 0
    shown = capsys.readouterr()
    assert "2 of 2 finished" in shown.out + shown.err
    assert not (made / "sweep" / "s0" / "job.log").exists(), "a job was run again"
    assert main(["compare", "sweep"]) == 0
    assert capsys.readouterr().out.startswith("2 runs, accuracy/fresh by algorithm")
