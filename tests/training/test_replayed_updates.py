"""Runs that learn from kept responses (SPEAR): which, when, with what loss; what a stop, replay and rollback keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.training.conftest import Checksum, MetricRows, Runs, trained_policy
from tvo_cli import experiment
from tvo_cli.training import replayed_updates, training_loop
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatches import Minibatch

pytestmark = pytest.mark.slow
SPEAR = ("algorithm=spear", "algorithm.self_imitation.size=2", "algorithm.self_imitation.rise=4", "rollout.samples=4")
ONCE = ("rollout.epochs=1", "trainer.steps=3")


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[tuple[StepInProgress, Minibatch]]:
    """Every update of a run from kept responses."""
    seen: list[tuple[StepInProgress, Minibatch]] = []
    take = replayed_updates.update_by_replay

    def taking(learner: Learner, work: StepInProgress, minibatch: Minibatch, *rest: Any) -> None:
        seen.append((work, minibatch))
        take(learner, work, minibatch, *rest)

    monkeypatch.setattr(training_loop.replayed_updates, "update_by_replay", taking)  # type: ignore[attr-defined]
    return seen


def test_what_is_learnt_from_again_are_good_responses_of_earlier_batches(
    run: Runs, replays: list[tuple[StepInProgress, Minibatch]], steps: MetricRows
) -> None:
    rows = steps(run("spear", *SPEAR, *ONCE))
    assert [row["replay/used"] for row in rows] == [0.0, 2.0, 2.0]
    assert [row["replay/weight"] for row in rows] == pytest.approx([0.1464466, 0.5, 0.8535534])
    assert [row["optimizer/steps"] for row in rows] == [2.0] * 3, "those of the batch itself"
    for work, minibatch in replays:
        kept = work.replayed
        assert kept is not None and set(minibatch.rows.tolist()) <= {0, 1}
        assert (kept.experience.rewards == 1.0).all() and (kept.advantage.values >= 0).all()


def test_the_loss_of_the_replay_is_weighed(run: Runs, replays: list[Any], steps: MetricRows) -> None:
    """At the first draw π has moved little: −γ·Σ Â·(tokens of one response)/L, averaged over the responses drawn."""
    folder = run("spear", *SPEAR, *ONCE, "optimizer.lr=1e-9", "algorithm.self_imitation.weight.share=0")
    (work, _), row = replays[0], steps(folder)[1]
    assert work.replayed is not None
    advantage, mask = work.replayed.advantage.values, work.replayed.experience.mask
    longest = 20  # tokens that the embedded task allows
    expected = -0.5 * float((advantage * mask).sum()) / (longest * len(mask))
    assert row["loss/replay"] == pytest.approx(expected, rel=1e-4)


def test_without_strength_it_is_its_base_bit_for_bit(run: Runs) -> None:
    base = ("algorithm.objective.surrogate.high=0.2", "algorithm.objective.weight.share=0", "rollout.samples=4", *ONCE)
    still = run(
        "still", "algorithm=spear", *base, "algorithm.self_imitation.strength=0", "algorithm.self_imitation.size=2"
    )
    plain = run("plain", "algorithm=dr_grpo", *base[2:])
    acting = run("acting", *SPEAR, *base)
    mine, its, others = (trained_policy(folder, 3) for folder in (still, plain, acting))
    assert all(torch.equal(mine[name], its[name]) for name in its)
    assert any(not torch.equal(mine[name], others[name]) for name in its)


def kept_of(folder: Path, step: int) -> dict[str, Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step:06d}" / "kept_responses.safetensors")


def test_a_run_stopped_at_every_update_ends_in_the_same_bits(
    run: Runs, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> None:
    """In the second and third step one update from kept responses stands after the two of the batch."""
    whole, (cut, stops) = run("whole", *SPEAR, *ONCE), in_pieces("cut", *SPEAR, *ONCE, most=9)
    assert stops >= 5
    assert steps(cut) == steps(whole) and weights(cut, 3) == weights(whole, 3)
    mine, its = kept_of(cut, 3), kept_of(whole, 3)
    assert mine.keys() == its.keys() and all(torch.equal(mine[name], its[name]) for name in its)
    assert len(its["kept.rewards"]) > 0 and len(its["means"]) == 3 * 8


def test_a_lost_buffer_shows(run: Runs, resumed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: were it not in the checkpoint, the weights would be others."""
    words = (*SPEAR, *ONCE, "trainer.checkpoint_every=1")
    whole = trained_policy(run("whole", *words), 3)
    cut = trained_policy(resumed("cut", *words, after=1), 3)
    assert all(torch.equal(cut[name], whole[name]) for name in whole)
    monkeypatch.setattr("tvo_cli.rollout.SelfImitation.load_tensors", lambda *_: None)
    lost = trained_policy(resumed("lost", *words, after=1), 3)
    assert any(not torch.equal(lost[name], whole[name]) for name in whole)


def test_a_recorded_step_is_lived_again_with_what_was_kept(run: Runs) -> None:
    folder = run("spear", *SPEAR, *ONCE, "recorder.steps=[2]")
    record, [lived, other] = experiment.replay(folder, 2, ["algorithm=grpo"])
    assert (lived.weights_before, lived.weights_after) == (record["weights_before"], record["weights_after"])
    assert lived.work.replayed is not None
    assert any("kept responses" in note for note in other.notes)


def test_a_rollback_takes_the_kept_responses_back(run: Runs) -> None:
    """Those of the policy that was lost are not imitated."""
    folder = run(
        *("spear", *SPEAR, *ONCE, "optimizer.lr=2e-2", "stability=act", "stability.snapshot_every=1"),
        *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-4"),
        *("stability.rules.kl_ceiling.patience=1", "trainer.checkpoint_every=1", "trainer.keep=9"),
    )
    log = (folder / "run.log").read_text()
    assert "restored the policy of step" in log
    back = int(log.partition("restored the policy of step ")[2].partition(";")[0])
    held = kept_of(folder, 3)["kept.steps"]
    assert back < 3 and (len(held) == 0 or int(held.max()) < 3)
