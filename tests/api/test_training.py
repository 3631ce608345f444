"""Training from Python: the run of the shell, and a process that is afterwards as it was."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import tvo_cli as tvo
from tests.training.conftest import SMALL
from tvo_cli import config as configuration
from tvo_cli.api.launching import launched
from tvo_cli.training.device_and_precision import accelerate_state_kept
from tvo_cli.training.stop_signals import Interrupted

WORDS = [word for word in SMALL if not word.startswith("trainer.steps")] + ["trainer.steps=1"]


def state_of_process() -> dict[str, Any]:
    """What a run might leave changed."""
    return {
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "level": logging.getLogger("tvo").level,
        "handlers": list(logging.getLogger().handlers),
        "hydra": (GlobalHydra.instance().hydra, HydraConfig.instance().cfg),
    }


@pytest.fixture
def no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.report.run_plot.draw_run_figure", lambda run: [])


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException | None], None]:
    """In the place of the training: a run that writes a row and ends by an error."""

    def act(error: BaseException | None) -> None:
        def train(config: Any, show: object) -> None:
            (Path(config.output_dir) / "config.yaml").write_text("seed: 0\n")
            (Path(config.output_dir) / "metrics.jsonl").write_text('{"step": 1, "reward/mean": 0.5}\n')
            if error is not None:
                raise error

        monkeypatch.setattr("tvo_cli.api.training.train_and_report", train)

    return act


def test_a_run_leaves_its_folder_and_the_process_as_it_was(
    tmp_path: Path, no_figure: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = state_of_process()
    run = tvo.train([*WORDS, "output_dir=a"])
    assert state_of_process() == before
    assert run.folder == tmp_path / "a" and run.state == "finished" and len(run.metrics) == 1
    assert {"card.txt", "command.txt", "state.json", "summary.json", "versions.json"} <= {
        path.name for path in run.folder.iterdir()
    }
    assert (run.folder / "command.txt").read_text().endswith("trainer.steps=1 output_dir=a\n")
    assert (run.folder / "card.txt").read_text() == run.card
    assert capsys.readouterr().out == "", "logger.console=off"
    told = json.loads((run.folder / "state.json").read_text())
    assert (told["command"], told["state"], told["overrides"][-1]) == ("train", "finished", "output_dir=a")


def test_an_interrupted_run_is_raised_with_the_run_and_how_to_resume(
    tmp_path: Path, stand_in: Callable[[BaseException | None], None]
) -> None:
    stand_in(Interrupted(tmp_path / "a" / "checkpoints" / "step-000001", signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as raised:
        tvo.train([*WORDS, f"output_dir={tmp_path}/a"])
    assert isinstance(raised.value, tvo.RunInterrupted) and raised.value.run.state == "interrupted"
    assert str(raised.value).endswith(f"The same overrides with output_dir={tmp_path}/a resume from there.")
    stand_in(None)
    assert tvo.train([*WORDS, f"output_dir={tmp_path}/a"]).state == "finished"


def test_another_signal_than_the_interrupt_reaches_the_callers_handler_once_all_is_saved(
    tmp_path: Path, stand_in: Callable[[BaseException | None], None]
) -> None:
    heard: list[str] = []
    folder = tmp_path / "a"
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(tvo.load(folder).state))
    try:
        stand_in(Interrupted(folder / "checkpoints" / "step-000001", signal.SIGTERM))
        with pytest.raises(tvo.RunInterrupted):
            tvo.train([*WORDS, f"output_dir={folder}"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["interrupted"]


@pytest.mark.parametrize("word", ["algorithm=tvoo", "optimizer.lr=abc", "seed=0,1"])
def test_a_mistake_is_a_user_error_and_leaves_no_folder(tmp_path: Path, word: str) -> None:
    with pytest.raises(tvo.UserError):
        tvo.train([word, f"output_dir={tmp_path}/a"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_configs_of_ones_own_are_found_and_stand_in_the_command(
    tmp_path: Path, stand_in: Callable[[BaseException | None], None]
) -> None:
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    (tmp_path / "mine" / "optimizer" / "slow.yaml").write_text("# slow\ndefaults: [adamw, _self_]\nclip_norm: 0.125\n")
    stand_in(None)
    seen: list[str] = []
    words = ["optimizer=slow", f"output_dir={tmp_path}/a"]
    with launched("train", words, tmp_path / "mine"):
        seen.append(configuration.rerun_command())
        assert configuration.compose_job(words, "train").optimizer.clip_norm == 0.125
    assert seen == [f"tvo train --config-dir {tmp_path}/mine optimizer=slow output_dir={tmp_path}/a"]
    assert tvo.train(words, config_dir=tmp_path / "mine").state == "finished"
    with pytest.raises(tvo.UserError, match=r"^optimizer=slow: there is no such optimizer"):
        tvo.train(words)
    with pytest.raises(tvo.UserError, match=r"^config_dir=/nowhere: there is no such folder"):
        tvo.train(words, config_dir="/nowhere")


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(tvo.UserError, match=r"^output_dir=.*: cannot be made"):
        tvo.train([f"output_dir={tmp_path}/file/run"])


def test_a_failed_run_says_why_and_raises_its_own_error(
    tmp_path: Path, stand_in: Callable[[BaseException | None], None]
) -> None:
    stand_in(ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        tvo.train([f"output_dir={tmp_path}/a"])
    assert tvo.load(tmp_path / "a").state == "failed" and "division" in tvo.load(tmp_path / "a").reason


@pytest.mark.slow
def test_a_run_from_python_is_that_of_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tvo_cli.cli.main import main

    words = [*SMALL, "evaluation=quick"]
    assert main(["train", *words, f"output_dir={tmp_path}/shell"]) == 0
    run = tvo.train([*words, f"output_dir={tmp_path}/python"])
    places = tmp_path / "shell", run.folder
    names = [sorted(str(path.relative_to(place)) for path in place.rglob("*")) for place in places]
    assert names[0] == names[1] and "figures/run.svg" in names[0]
    rows = [tvo.load(place).metrics.drop(columns=measured_columns(tvo.load(place))) for place in places]
    assert rows[0].equals(rows[1])
    states = [json.loads((place / "state.json").read_text()) for place in places]
    assert states[0].keys() == states[1].keys() and states[0]["fingerprint"] == states[1]["fingerprint"]


def measured_columns(run: tvo.Run) -> list[str]:
    """The metrics that a clock or the machine decides."""
    return [name for name in run.metrics if name.startswith(("time/", "memory/"))]


@pytest.mark.slow
def test_a_real_interrupt_saves_the_run_which_then_goes_on(tmp_path: Path) -> None:
    words = [*SMALL, "trainer.steps=200", f"output_dir={tmp_path}/a"]
    rows, ended = tmp_path / "a" / "metrics.jsonl", threading.Event()

    def interrupt_after_two_steps() -> None:
        while not ended.wait(0.02):
            if rows.is_file() and rows.read_text().count("\n") > 1:
                os.kill(os.getpid(), signal.SIGINT)
                return

    watching = threading.Thread(target=interrupt_after_two_steps)
    watching.start()
    before = state_of_process()
    try:
        with pytest.raises(tvo.RunInterrupted) as raised:
            tvo.train(words)
    finally:
        ended.set()
        watching.join()
    assert state_of_process() == before and raised.value.run.state == "interrupted"
    done = len(raised.value.run.metrics)
    assert 2 <= done < 200 and raised.value.run.checkpoints
    run = tvo.train([*words[:-2], f"trainer.steps={done + 1}", words[-1], "resume.allow=[trainer.steps]"])
    assert run.state == "finished" and list(run.metrics.index) == list(range(1, done + 2))


@pytest.mark.slow
def test_runs_of_different_precision_and_place_follow_each_other(tmp_path: Path) -> None:
    from accelerate import Accelerator

    words = {"a": "seed=1", "b": "trainer.precision=bfloat16", "c": "parallel=shard", "d": "seed=2"}
    with accelerate_state_kept():
        assert Accelerator(mixed_precision="bf16", cpu=True).mixed_precision == "bf16"  # the caller's own
        for name, word in words.items():
            assert tvo.train([*WORDS, word, f"output_dir={tmp_path}/{name}"]).state == "finished"
        assert Accelerator(cpu=True).mixed_precision == "bf16"


@pytest.mark.slow
def test_a_policy_answers_and_is_evaluated(tmp_path: Path) -> None:
    run = tvo.train([*WORDS, "trainer.checkpoint_every=1", f"output_dir={tmp_path}/a"])
    policy = run.policy()
    ids, mask = policy.encode(["1 + 1 ="])
    with torch.no_grad():
        assert policy.network(input_ids=ids, attention_mask=mask).logits.shape[:2] == ids.shape
    with pytest.raises(tvo.UserError, match="step-000009"):
        run.policy("step-000009")
    words = ["evaluation.limit=2", "decoding.samples=1", f"output_dir={tmp_path}/e"]
    found = tvo.evaluate(words, model=run)
    assert list(found.scores.index) == ["arithmetic"] and found.scores["problems"].item() == 2
    assert len(found.responses) >= 2 and (tmp_path / "e" / "table.md").is_file()
