"""Signals: the update under way is finished, everything is saved, and the exit code says so."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.training.conftest import Runs
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_writer
from tvo_cli.cli.main import main
from tvo_cli.tracking import run_status
from tvo_cli.training import stop_signals, training_loop

from .conftest import SMALL, before_each_update

if TYPE_CHECKING:
    from tvo_cli.evaluation.test_sets import EvaluatedTestSets, TestSet
    from tvo_cli.training.session import Session
    from tvo_cli.training.step_state import StepInProgress

ONE_STEP = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1")
QUICK = ("algorithm=grpo", "trainer.steps=2", "trainer.checkpoint_every=1")


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGHUP,
        *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)),
    ],
)
def test_a_signal_finishes_the_update_saves_and_exits_75(
    no_figures: None,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    words = ["train", *SMALL, f"output_dir={tmp_path / 'run'}", "algorithm=grpo", "trainer.steps=1"]
    words.append("logger.console=plain")
    before = signal.getsignal(number)
    with before_each_update(lambda work: signal.raise_signal(number) if work.position == 1 else None):
        assert main(words) == 75
    assert signal.getsignal(number) is before
    assert [path.name for path in (tmp_path / "run" / "checkpoints").glob("step-*")] == ["step-000000-update-002"]
    shown = capfd.readouterr()
    assert "stopping after this update" in shown.err
    assert "The same command and output_dir resume from there" in shown.err
    assert (shown.out + shown.err).count("interrupted; saved") == 1
    assert main(words) == 0


def test_signals_that_were_ignored_at_the_start_change_nothing(run: Runs) -> None:
    """nohup; a background job of a script; `trap '' TERM`; a launcher above us that ignores SIGUSR2."""
    sent: list[signal.Signals] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

    def send_all(work: StepInProgress) -> None:
        for number in numbers:
            signal.raise_signal(number)
            sent.append(number)

    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        with before_each_update(send_all):
            run("a", *ONE_STEP)
        assert all(signal.getsignal(number) is signal.SIG_IGN for number in numbers)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    newest = checkpoint_damage.newest_whole_checkpoint(run.root / "a" / "checkpoints", print)
    assert sent and newest is not None and newest.name == "step-000001"


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_harms_nothing(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both arrive while the second checkpoint is being written."""
    run("a", *QUICK, "trainer.steps=1")
    root, flush = run.root / "a" / "checkpoints", checkpoint_writer.flush_to_disk

    def pressing(path: Path) -> None:
        flush(path)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(checkpoint_writer, "flush_to_disk", pressing)
    with pytest.raises(KeyboardInterrupt):
        run("a", *QUICK)
    monkeypatch.undo()
    assert checkpoint_damage.newest_whole_checkpoint(root, print) == root / "step-000001"
    assert run("a", *QUICK) and checkpoint_damage.newest_whole_checkpoint(root, print) == root / "step-000002"


def test_a_launchers_signal_saves_too_and_is_named_to_whoever_hands_it_on(run: Runs) -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: pytest.fail("nothing was saved yet"))
    try:
        send = before_each_update(lambda work: signal.raise_signal(signal.SIGUSR2))
        with send, pytest.raises(stop_signals.Interrupted) as stopped:
            run("a", "algorithm=grpo", "trainer.steps=1", "rollout.epochs=1")
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert stopped.value.signal == signal.SIGUSR2 and stopped.value.checkpoint.name == "step-000000-update-001"


@pytest.mark.slow
@pytest.mark.parametrize(("when", "code"), [("first", 75), pytest.param("last", 0, marks=pytest.mark.slow)])
def test_a_signal_during_the_first_or_the_last_evaluation_does_not_kill_the_run(
    no_figures: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, code: int
) -> None:
    words = ["train", *SMALL, f"output_dir={tmp_path / 'run'}", *ONE_STEP, "evaluation=default",
             "evaluation.problems=2", "evaluation.samples=1", "evaluation.max_tokens=4"]  # fmt: skip
    evaluate = training_loop._evaluate

    def evaluating(session: Session, test_sets: Sequence[TestSet]) -> EvaluatedTestSets | None:
        if (session.counters.step == 0) == (when == "first"):
            signal.raise_signal(signal.SIGTERM)
        return evaluate(session, test_sets)

    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("the signal found no handler of ours"))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(training_loop, "_evaluate", evaluating)
            assert main(words) == code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert run_status.status_of(tmp_path / "run")[0] == ("finished" if code == 0 else "interrupted")
    assert main(words) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 1]


STRICT = (
    *("algorithm=grpo", "rollout.epochs=1", "trainer.steps=3", "recorder=off", "stability.rules.kl_ceiling.patience=1"),
    *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-6"),
)


@pytest.mark.slow
@pytest.mark.parametrize("act", ["stop", "rollback"])
def test_a_run_that_a_rule_stopped_goes_no_step_further_when_started_again(run: Runs, act: str) -> None:
    """The first batch is still the reference's own, the second collapses; no rollback is left."""
    words = (*STRICT, f"stability.on_collapse={act}", "stability.max_rollbacks=0")
    folder = run("a", *words)
    first = json.loads((folder / "summary.json").read_text())
    assert (first["steps"], first["collapse"]["verdict"]) == (2, "stopped")
    again = json.loads((run("a", *words) / "summary.json").read_text())
    assert (again["steps"], again["collapse"]) == (2, first["collapse"])
    warned = json.loads((run("a", *STRICT, "stability.on_collapse=warn") / "summary.json").read_text())
    assert (warned["steps"], warned["collapse"]["verdict"]) == (3, "collapsed"), "it goes on where that is wanted"


@pytest.mark.parametrize("by_torchrun", [True, False])
def test_a_second_interrupt_that_torchrun_passes_on_as_sigterm_stops_at_once(
    monkeypatch: pytest.MonkeyPatch, by_torchrun: bool
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if by_torchrun:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    told: list[str] = []
    with stop_signals.handle_stop_signals(Path(), told.append) as request:
        signal.raise_signal(signal.SIGINT)
        assert request.number == signal.SIGINT and told == [stop_signals.SAID]
        if by_torchrun:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        else:
            signal.raise_signal(signal.SIGTERM)
