"""Numbers that are not finite: the update is skipped, counted, recorded, and never reaches the weights."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.gradients import gradient
from tests.training.conftest import Runs
from tvo_cli import experiment
from tvo_cli.training import training_loop
from tvo_cli.training.update import backward as backward_pass
from tvo_cli.training.update import minibatch_gradient

if TYPE_CHECKING:
    from torch import Tensor

    from tvo_cli.training.session import Session
    from tvo_cli.training.step_state import StepInProgress

ONE_STEP = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1")
QUICK = ("algorithm=grpo", "trainer.steps=2", "trainer.checkpoint_every=1")


def poison_reward(work: StepInProgress) -> None:
    work.batch.experience.rewards[0] = math.nan


def poison_log_prob(work: StepInProgress) -> None:
    work.batch.experience.old_logp[0, 0] = math.nan


def poison_advantage(work: StepInProgress) -> None:
    work.batch.advantage.values[0, 0] = -math.inf


def poison_ratio(work: StepInProgress) -> None:
    """log π_old = −100 where π is about a half: the ratio overflows float32."""
    work.batch.experience.old_logp[0, 0] = -100.0


POISONS = {"reward": poison_reward, "log-prob": poison_log_prob, "advantage": poison_advantage, "ratio": poison_ratio}


@pytest.fixture
def poisoned(run: Runs, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """A run whose second batch is poisoned once drawn, and its session."""

    def go(name: str, poison: Callable[[StepInProgress], None], *overrides: str) -> tuple[Path, dict[str, Any]]:
        begin = training_loop.start_step
        kept: dict[str, Any] = {}

        def beginning(session: Session) -> StepInProgress:
            work = begin(session)
            rollout = dataclasses.replace(work.batch.rollout, logp=work.batch.rollout.logp.clone())
            experience = dataclasses.replace(work.batch.experience, old_logp=work.batch.experience.old_logp.clone())
            work.batch = dataclasses.replace(work.batch, rollout=rollout, experience=experience)
            kept["session"] = session
            if session.counters.step == 1:
                kept["before"] = session.fingerprint(session.weights())
                poison(work)
            return work

        monkeypatch.setattr(training_loop, "start_step", beginning)
        folder = run(name, *overrides)
        monkeypatch.setattr(training_loop, "start_step", begin)
        return folder, kept

    return go


@pytest.mark.parametrize(
    "what", ["ratio", *(pytest.param(n, marks=pytest.mark.slow) for n in ("reward", "log-prob", "advantage"))]
)
def test_a_poisoned_batch_leaves_the_weights_alone_and_is_recorded(
    poisoned: Callable[..., tuple[Path, dict[str, Any]]], what: str
) -> None:
    one_step = ("algorithm=tvo", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=3")
    folder, kept = poisoned("a", POISONS[what], *one_step)
    record, lived = experiment.replay(folder, 2, [])
    assert record["why"] == [f"not finite: {what}"]
    assert record["weights_after"] == record["weights_before"] == kept["before"]
    assert lived[0].weights_after == record["weights_after"]
    assert {trouble.what for _, trouble in lived[0].troubles} == {what}
    assert lived[0].troubles[0][1].row == 0
    counters = kept["session"].counters
    assert (counters.skipped, counters.skipped_in_a_row, counters.step) == (1, 0, 3)
    state = json.dumps(kept["session"].learner.algorithm.state_dict())
    assert "NaN" not in state and "Infinity" not in state, "an adaptive piece has learnt from the poison"


def test_only_the_minibatch_with_the_poison_is_left_out(poisoned: Callable[..., tuple[Path, dict[str, Any]]]) -> None:
    folder, kept = poisoned("a", poison_ratio, "algorithm=grpo", "trainer.steps=2")
    row = json.loads((folder / "metrics.jsonl").read_text().splitlines()[1])
    assert (row["optimizer/skipped"], row["optimizer/steps"], row["loss/nonfinite"]) == (2.0, 2.0, 1.0)
    assert kept["session"].fingerprint(kept["session"].weights()) != kept["before"]


@pytest.mark.slow
def test_the_finite_part_of_a_poisoned_batch_teaches_the_control_variate_nothing(
    poisoned: Callable[..., tuple[Path, dict[str, Any]]],
) -> None:
    """Three of the four updates of the last batch are taken; what they showed must not enter the next β."""
    _, kept = poisoned("a", poison_reward, "algorithm=tvo", "trainer.steps=2")
    assert (kept["session"].counters.skipped, kept["session"].counters.step) == (2, 2)
    [variate] = [one for one in kept["session"].learner.algorithm.objective.forces.values() if hasattr(one, "beta")]
    assert variate.current == (0.0, 0.0) and variate.past != (0.0, 0.0)


@pytest.mark.slow
def test_nan_in_one_gradient_is_traced_to_its_response(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finite forces, a gradient that is not: one response's backward pass is broken."""
    backward = backward_pass.backward_through_network

    def breaking(scores: tuple[Tensor, ...], forces: tuple[Tensor, ...]) -> None:
        backward(scores, forces)
        gradient(next(iter(broken["session"].learner.parameters)))[0] = math.nan

    broken: dict[str, Session] = {}
    begin = training_loop.start_step
    monkeypatch.setattr(training_loop, "start_step", lambda session: broken.update(session=session) or begin(session))
    monkeypatch.setattr(minibatch_gradient, "backward_through_network", breaking)
    folder = run("a", "algorithm=grpo", "trainer.steps=1", "trainer.nonfinite_limit=99")
    monkeypatch.undo()
    record, lived = experiment.replay(folder, 1, [])
    assert record["why"] == ["not finite: gradient"]
    assert lived[0].weights_after != record["weights_after"], "the defect is gone, and replay says so"


@pytest.mark.slow
def test_many_in_a_row_stop_the_run_with_its_verdict(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minibatch_gradient, "non_finite_input_of_update", lambda batch, rows: "reward")
    folder = run("a", "trainer.steps=9", "trainer.nonfinite_limit=8")
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["steps"], summary["skipped_updates"]) == (2, 8)
    assert "8 updates skipped in a row" in (folder / "run.log").read_text()
    assert [path.name for path in (folder / "recorder").iterdir()] == ["step-000001"], "the first of a row"
    verdict = json.loads((folder / "collapse.json").read_text())
    assert (verdict["verdict"], verdict["collapsed_at"]) == ("stopped", 2) == (summary["collapse"]["verdict"], 2)
    [firing] = [one for one in verdict["firings"] if one["severity"] == "collapse"]
    assert (firing["rule"], firing["value"], firing["threshold"]) == ("nonfinite_limit", 8.0, 8.0)
    rows = (folder / "metrics.jsonl").read_text()
    run("a", "trainer.steps=9", "trainer.nonfinite_limit=8")
    assert (folder / "metrics.jsonl").read_text() == rows, "stopped stays stopped"
    assert json.loads((folder / "summary.json").read_text())["collapse"] == verdict
