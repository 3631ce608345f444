"""The flight recorder: what is kept, how much, and that a step is lived again."""

from __future__ import annotations

import json
import shutil
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from tests.training.conftest import MetricRows, Runs, Whole
from tvo_cli import config, experiment
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.checkpoint.tensor_slice import HeldParts, values_held
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.experiment import run_replay
from tvo_cli.experiment.build_session import build_session
from tvo_cli.replay import gradient_attribution
from tvo_cli.training import flight_recorder, training_loop
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.stop_signals import Interrupted
from tvo_cli.training.update import policy_update
from tvo_cli.training.update.backward import backward_through_network, forces_by_backward
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatch_forward import forward_rows
from tvo_cli.training.update.minibatches import Minibatch
from tvo_cli.training.update.policy_update import remaining_minibatches_of_update

from .conftest import before_each_update, composed

ONE_UPDATE = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1")
QUICK = ("trainer.steps=2", "recorder.steps=[2]", "rollout.epochs=1")
MORE = {"ettrl": ("rollout.samples=10",)}  # two trees a prompt; two answers agree or tie: no gradient


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "algorithm",
    [
        "tvo",
        *(pytest.param(n, marks=pytest.mark.slow) for n in config.choices_of_group("algorithm") if n != "tvo"),
    ],
)
def test_a_recorded_step_is_lived_again_bit_for_bit_and_nothing_is_written(
    whole: Whole, steps: MetricRows, algorithm: str
) -> None:
    folder = whole(f"algorithm={algorithm}", *QUICK, *MORE.get(algorithm, ()))
    before = files(folder)
    record, [lived] = experiment.replay(folder, 2, [])
    assert record["why"] == [flight_recorder.ASKED]
    assert lived.weights_before == record["weights_before"] != record["weights_after"]
    assert lived.weights_after == record["weights_after"]
    assert lived.order == record["order"] and len(lived.order) == 2
    row = steps(folder)[1]
    assert max(lived.work.report.norms) == row["gradient/norm_max"]
    assert files(folder) == before
    assert not lived.troubles


@pytest.mark.slow
def test_the_step_after_the_recorded_one_starts_from_its_end(run: Runs) -> None:
    folder = run("a", "algorithm=tvo", "trainer.steps=3", "recorder.steps=[2,3]", "rollout.epochs=1")
    second, third = (experiment.replay(folder, step, [])[0] for step in (2, 3))
    assert second["weights_after"] == third["weights_before"]


@pytest.mark.slow
def test_replay_sees_another_bit(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of the recorded policy flipped, manifest and all: the end differs and the command says so."""
    folder = whole("algorithm=grpo", *QUICK)
    read = flight_recorder.read_recording

    def flipped(run_folder: Path, step: int) -> tuple[HeldParts, dict[str, Any]]:
        parts, state = read(run_folder, step)
        values_held(next(iter(parts["policy"].values()))).view(torch.int32).flatten()[0] ^= 1
        return parts, state

    monkeypatch.setattr(flight_recorder, "read_recording", flipped)
    record, [lived] = experiment.replay(folder, 2, [])
    assert lived.weights_after != record["weights_after"]
    assert main(["replay", str(folder), "--step", "2"]) == 1


@pytest.mark.slow
def test_another_algorithm_repeats_the_same_rollouts(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    folder = whole("algorithm=tvo", *QUICK)
    _, [was, other] = experiment.replay(folder, 2, ["algorithm=grpo"])
    assert other.algorithm == "grpo" and other.weights_before == was.weights_before
    assert torch.equal(was.work.batch.rollout.response_ids, other.work.batch.rollout.response_ids)
    assert torch.equal(was.work.batch.experience.rewards, other.work.batch.experience.rewards)
    assert set(other.work.report.losses) == {"policy", "kl"} and other.work.report.rates[0] == 5e-5
    assert -1.0 <= was.cosine(other) < 0.9999 and was.cosine(was) == pytest.approx(1.0)
    assert other.attributed == was.attributed
    assert main(["replay", str(folder), "algorithm=grpo", "--step", "2"]) == 0
    said = capsys.readouterr().out
    for text in ("the same bits", "gradient norm", "share", "⟦", "what if", "cosine of the two steps"):
        assert text in said


@pytest.mark.slow
def test_an_override_acts_wherever_it_stands_and_what_cannot_act_is_said() -> None:
    chosen = OmegaConf.create(config.resolved_tree(composed(("algorithm=grpo",))))
    for words in (["optimizer.lr=1e-3", "algorithm=dppo_tv"], ["algorithm=dppo_tv", "optimizer.lr=1e-3"]):
        altered, notes = run_replay._with_overrides(chosen, words)
        assert (altered.algorithm.name, altered.optimizer.lr) == ("dppo_tv", 1e-3)
        assert altered.trainer.old_logp == "sampler" != chosen.trainer.old_logp and notes == []
        assert altered.rollout == chosen.rollout, "what the run had set itself stands"
    _, notes = run_replay._with_overrides(chosen, ["algorithm=dapo", "rollout.samples=4"])
    assert [note.partition(":")[0] for note in notes] == [
        "dapo has reward.length.weight=0.5",
        "rollout.samples=4",
    ]


@pytest.mark.slow
def test_the_same_algorithm_as_an_override_makes_the_same_first_update(whole: Whole) -> None:
    """grpo carries no state between batches, so its "what if" of itself is the step itself."""
    folder = whole("algorithm=grpo", *QUICK)
    record, [was, again] = experiment.replay(folder, 2, ["algorithm=grpo"])
    assert again.weights_after == was.weights_after == record["weights_after"]


def gradient_of_chosen(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, temperature: float, chosen: Tensor
) -> Tensor:
    """One backward pass of the minibatch with the forces on its tokens times `chosen`, [parameters]."""
    learner.optimizer.zero_grad(set_to_none=True)
    share = learner.algorithm.objective.reduce(batch.experience.mask[minibatch.rows])
    tokens, scores = forward_rows(learner, batch, minibatch.rows, share, temperature)
    forces = forces_by_backward(learner.algorithm.objective(tokens), tokens)
    backward_through_network(scores, tuple(force * chosen for force in forces))
    return torch.cat([p.grad.flatten() for p in learner.parameters if p.grad is not None]).double()


def test_the_shares_are_those_of_one_backward_pass_a_token(whole: Whole) -> None:
    """⟨∇L_t, g⟩/|g|² of the top tokens against the slow way: a backward pass for each token alone."""
    folder = whole("algorithm=tvo", *QUICK)
    parts, state = recording = flight_recorder.read_recording(folder, 2)
    chosen = OmegaConf.create(state["record"]["config"])
    with ExitStack() as resources:
        session = build_session(run_replay._without_loggers(chosen), folder, resources)
        session.restore(parts["policy"], *recording)
        assert session.work is not None
        learner, batch, passes = session.learner, session.work.batch, session.passes
        minibatch = next(remaining_minibatches_of_update(learner, session.work, passes, seed=0, step=1, steps=2))
        found = gradient_attribution.attribute_gradient(learner, batch, minibatch, passes, most=3)
        share = learner.algorithm.objective.reduce(batch.experience.mask[minibatch.rows])
        gradient = partial(gradient_of_chosen, learner, batch, minibatch, passes.temperature)
        together = gradient(torch.ones_like(share))
        assert found.norm == pytest.approx(float(together.norm()), rel=1e-5)
        assert found.total == pytest.approx(1.0, abs=0.01)
        for site in found.sites:
            only = torch.zeros_like(share)
            only[minibatch.rows.tolist().index(site.row), site.position] = 1.0
            slow = float(gradient(only) @ together / (together @ together))
            assert site.share == pytest.approx(slow, rel=0.03)


@pytest.mark.slow
def test_a_collapse_is_recorded_where_it_began_and_the_disk_use_is_bounded(run: Runs) -> None:
    rule = ("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-6")
    sizes = ("trainer.steps=4", "rollout.epochs=1")
    folder = run("a", "algorithm=grpo", *rule, "stability.rules.kl_ceiling.patience=1", *sizes)
    assert [path.name for path in (folder / "recorder").iterdir()] == ["step-000002"]
    record, [lived] = experiment.replay(folder, 2, [])
    assert record["why"] == ["collapse: kl_ceiling"] and lived.weights_after == record["weights_after"]


@pytest.mark.slow
def test_only_the_newest_unasked_for_are_kept(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        flight_recorder,
        "_reasons_to_record",
        lambda session, work, begun: [flight_recorder.ASKED if session.counters.step == 1 else "x"],
    )
    folder = run("a", *ONE_UPDATE, "trainer.steps=5", "recorder.keep=2")
    assert sorted(path.name for path in (folder / "recorder").iterdir()) == [f"step-00000{n}" for n in (1, 4, 5)]


@pytest.mark.slow
def test_a_recording_that_was_half_removed_does_not_stop_the_run(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the middle of removing one leaves a folder without its state."""
    monkeypatch.setattr(flight_recorder, "_reasons_to_record", lambda session, work, begun: ["x"])
    (run.root / "a" / "recorder" / "step-000001").mkdir(parents=True)
    (run.root / "a" / "recorder" / ".step-000000.old").mkdir()
    folder = run("a", *ONE_UPDATE, "trainer.steps=3", "recorder.keep=1")
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 3
    assert sorted(path.name for path in (folder / "recorder").iterdir()) == ["step-000003"]


@pytest.mark.slow
def test_a_step_asked_for_when_it_had_begun_is_said_not_to_be_recorded(
    run: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("algorithm=grpo", "trainer.steps=1", "rollout.epochs=1", "recorder=off")
    with before_each_update(lambda work: signal.raise_signal(signal.SIGTERM)), pytest.raises(Interrupted):
        run("a", *words)
    folder = run("a", *words, "recorder.steps=[1]")
    assert "step 1 cannot be recorded: it had started before recording was requested" in caplog.text
    assert not (folder / "recorder").exists()


@pytest.mark.slow
def test_a_recorder_that_is_off_costs_nothing(run: Runs) -> None:
    folder = run("a", "algorithm=grpo", "recorder=off", "trainer.steps=1")
    assert not (folder / "recorder").exists()


@pytest.mark.slow
def test_a_step_interrupted_in_its_middle_is_recorded_like_any_other(
    run: Runs, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, take = whole("algorithm=tvo", *QUICK), policy_update.update_policy

    def taking(learner: Learner, work: StepInProgress, *args: Any) -> bool:
        goes_on = take(learner, work, *args)
        signal.raise_signal(signal.SIGTERM) if work.position == 1 else None
        return goes_on

    monkeypatch.setattr(training_loop, "update_policy", taking)
    for _ in range(2):
        with pytest.raises(Interrupted):
            run("cut", "algorithm=tvo", *QUICK)
    monkeypatch.setattr(training_loop, "update_policy", take)
    folders = [one / "recorder" / "step-000002" for one in (undisturbed, run("cut", "algorithm=tvo", *QUICK))]
    one, other = (checkpoint_folders.read_stored_state(folder)["record"] for folder in folders)
    assert one["weights_before"] == other["weights_before"] and one["weights_after"] == other["weights_after"]


@pytest.mark.slow
def test_what_is_not_recorded_or_damaged_is_said(whole: Whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole("algorithm=grpo", *QUICK), tmp_path / "a")
    with pytest.raises(UserError, match=r"--step=7: is not recorded in .* Recorded steps: 2\."):
        experiment.replay(folder, 7, [])
    with pytest.raises(UserError, match=r"algoritm=ppo: there is no such key\. Nearest: algorithm"):
        experiment.replay(folder, 2, ["algoritm=ppo"])
    place = folder / "recorder" / "step-000002" / "state.json"
    state = json.loads(place.read_text())
    place.write_text(json.dumps(state))
    with pytest.raises(UserError, match="recording is damaged"):
        experiment.replay(folder, 2, [])
