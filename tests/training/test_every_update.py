"""Stopped at every update and gone on with: the same bits. And the negative controls that prove the test sees."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.gradients import gradient
from tests.training.conftest import Checksum, MetricRows, Runs, Whole
from tvo_cli import config
from tvo_cli.training import rng
from tvo_cli.training.session import Session
from tvo_cli.training.stop_signals import Interrupted
from tvo_cli.training.update import policy_update
from tvo_cli.training.update.learner import Learner

from .conftest import trained_policy

UPDATES = 2 * 2  # batches × updates a batch
STEPS = ("trainer.steps=2", "rollout.epochs=1")
CONTROLLERS = {
    "thermostat": ("algorithm=tvo", "algorithm.objective.forces.temperature.coef.rate=0.02"),
    "rollback": (
        *("algorithm=grpo", "optimizer.lr=2e-2", "stability=act", "stability.snapshot_every=1"),
        *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-4"),
        "stability.rules.kl_ceiling.patience=1",
    ),
    "unrecorded": ("algorithm=ppo", "recorder=off"),
    "cosine": ("algorithm=grpo", "optimizer=adamw_cosine"),
}
FAST = ("tvo",)
ALGORITHMS = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
    for name in config.choices_of_group("algorithm")
]

Losing = Callable[[Session, dict[str, Any]], None]


@pytest.fixture
def assert_same_in_pieces(
    whole: Whole, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> Callable[..., Path]:
    """Assert that a run in pieces ends as one that nothing stopped; the latter's folder."""

    def check(*overrides: str, piece: int = 1) -> Path:
        undisturbed, (cut, stops) = whole(*overrides), in_pieces("cut", *overrides, piece=piece)
        assert stops >= UPDATES // piece - 1
        assert steps(cut) == steps(undisturbed)
        assert weights(cut, 2) == weights(undisturbed, 2)
        return undisturbed

    return check


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_stopped_at_every_update_ends_in_the_same_bits(
    assert_same_in_pieces: Callable[..., Path], algorithm: str
) -> None:
    assert_same_in_pieces(*STEPS, f"algorithm={algorithm}")


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(2, 1), (1, 2), (3, 1), (1, 4)], ids=str)
@pytest.mark.parametrize("algorithm", ["ppo", "grpo", "tvo"])
def test_two_to_four_updates_a_rollout(
    run: Runs,
    in_pieces: Callable[..., tuple[Path, int]],
    weights: Checksum,
    steps: MetricRows,
    algorithm: str,
    sizes: tuple[int, int],
) -> None:
    shape = (f"rollout.epochs={sizes[0]}", f"rollout.minibatches={sizes[1]}", "trainer.steps=3")
    whole = run("whole", f"algorithm={algorithm}", *shape)
    cut, _ = in_pieces("cut", f"algorithm={algorithm}", *shape, most=12)
    assert steps(cut) == steps(whole)
    assert weights(cut, 3) == weights(whole, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["rollback", *(pytest.param(n, marks=pytest.mark.slow) for n in ("thermostat", "unrecorded", "cosine"))]
)
def test_every_controller_goes_on(assert_same_in_pieces: Callable[..., Path], name: str) -> None:
    whole = assert_same_in_pieces(*STEPS, *CONTROLLERS[name], piece=3)
    if name == "rollback":
        assert "restored the policy" in (whole / "run.log").read_text()


# ---------------------------------------------------------------- negative controls: what is left out must show


def lost_streams(session: Session, before: Any) -> None:
    rng.seed_generators(99)


def lost_buffer(session: Session, before: Any) -> None:
    session.work = None


def lost_position(session: Session, before: Any) -> None:
    assert session.work is not None
    session.work.position = 0


def lost_cursor(session: Session, before: Any) -> None:
    session.cursor.load_state_dict(session.cursor.state_dict() | {"position": 0})


def lost_viscosity(session: Session, before: Any) -> None:
    session.learner.algorithm.step_rule.load_state_dict(before["algorithm"]["step_rule"])


def lost_objective(session: Session, before: Any) -> None:
    session.learner.algorithm.objective.load_state_dict(before["algorithm"]["objective"])


def lost_baseline(session: Session, before: Any) -> None:
    session.learner.algorithm.estimator.load_state_dict(before["algorithm"]["estimator"])


def lost_optimizer(session: Session, before: Any) -> None:
    session.learner.optimizer.state.clear()


def lost_step(session: Session, before: Any) -> None:
    session.counters.step = 0


def lost_critic(session: Session, before: Any) -> None:
    assert session.learner.critic is not None
    torch.nn.init.zeros_(session.learner.critic.critic.head.weight)


LOSSES = [lost_streams, lost_buffer, lost_position, lost_cursor, lost_viscosity, lost_objective, lost_baseline]
LOSSES += [lost_optimizer, lost_step, lost_critic]


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An algorithm that draws from torch's own generator at every update, as one of yours may."""
    step = policy_update._optimizer_step

    def stepping(learner: Learner, *args: Any) -> None:
        for parameter in learner.parameters:
            gradient(parameter).add_(1e-3 * torch.randn_like(parameter))
        step(learner, *args)

    monkeypatch.setattr(policy_update, "_optimizer_step", stepping)


def lose_at_restoring(lost: Losing | None, patch: pytest.MonkeyPatch) -> None:
    """Have a session lose something as soon as a checkpoint has been restored."""
    restore = Session.restore

    def restored(session: Session, *args: Any) -> None:
        before = session.state()
        restore(session, *args)
        if lost is not None:
            lost(session, before)

    patch.setattr(Session, "restore", restored)


@pytest.fixture
def reached(
    run: Runs, stop_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Tensor]]:
    """Weights after three batches, stopped inside the second (once, then copied), with something lost or not."""

    def go(name: str, algorithm: str, lost: Losing | None = None) -> dict[str, Tensor]:
        words = f"algorithm={algorithm}", "trainer.steps=3", "rollout.epochs=1"
        if name != "whole":
            _first_half(algorithm, words)
            shutil.copytree(run.root / f"half-{algorithm}", run.root / name)
        stop_after(0)
        with monkeypatch.context() as patch:
            lose_at_restoring(lost, patch)
            folder = run(name, *words)
        return trained_policy(folder, 3)

    def _first_half(algorithm: str, words: tuple[str, ...]) -> None:
        if not (run.root / f"half-{algorithm}").exists():
            stop_after(3)
            with pytest.raises(Interrupted):
                run(f"half-{algorithm}", *words)

    return go


def differs(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [pytest.param("tvo", marks=pytest.mark.slow), "ppo"])
def test_the_test_sees_what_is_lost(reached: Callable[..., dict[str, Tensor]], noisy: None, algorithm: str) -> None:
    """Lose one thing at a time: the weights must differ, else the tests above would prove nothing."""
    whole = reached("whole", algorithm)
    assert not differs(reached("nothing", algorithm), whole)
    chosen = [lost_critic] if algorithm == "ppo" else [lost for lost in LOSSES if lost is not lost_critic]
    unseen = [lost.__name__ for lost in chosen if not differs(reached(lost.__name__, algorithm, lost), whole)]
    assert unseen == []
