"""What a replay builds of a recorded config: own code that nobody asks is not needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config, experiment
from tvo_cli.cli.main import main
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.experiment.run_replay import without_reward_functions

OWN = "reward.functions=[{call: mine.py:brevity, weight: 0.2}]"


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def brevity(responses): return [1.0 for _ in responses]\n")
    Path("judge.py").write_text("def judge(responses, problems): return [True for _ in responses]\n")
    return tmp_path / "mine.py"


def test_reward_functions_are_left_out_and_a_scorer_stays(code: Path) -> None:
    words = ["output_dir=x", OWN, "reward.scorer=judge.py:judge", "reward.correct=0"]
    found = without_reward_functions(config.compose(words))
    code.unlink()
    assert list(config.recorded_own_code(found)) == ["judge.py"]
    check_across_keys(found)


def test_a_weighting_that_moves_keeps_them() -> None:
    recorded = config.compose(["output_dir=x", OWN, "reward.weighting=gradient"])
    assert without_reward_functions(recorded) is recorded


@pytest.mark.slow
def test_a_step_is_replayed_without_the_file_of_a_reward(code: Path) -> None:
    words = ["experiment=quick", OWN, "trainer.steps=1", "recorder.steps=[1]", "logger=none", "output_dir=run"]
    assert main(["train", *words]) == 0
    code.unlink()
    record, [lived, other] = experiment.replay(Path("run"), 1, ["algorithm=grpo"])
    assert lived.weights_after == record["weights_after"] and other.algorithm == "grpo"
