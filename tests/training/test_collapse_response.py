"""What follows when a collapse rule fires."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from tests.training.conftest import MetricRows, Runs, trained_policy
from tvo_cli.errors import UserError
from tvo_cli.stability import CollapseAction, CollapseWatch
from tvo_cli.stability.rule_interface import RuleFiring
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.collapse_response import watch_evaluation
from tvo_cli.training.reward_terms.gradient_weighting import GradientWeighting
from tvo_cli.training.reward_terms.window_weighting import WindowWeighting
from tvo_cli.training.session import Session
from tvo_cli.training.update.policy_update import adapt_after_batch

if TYPE_CHECKING:
    from tvo_cli.training.update.learner import Learner

ROLLBACK = ("stability.on_collapse=rollback", "stability.snapshot_every=1", "trainer.checkpoint_every=1")


def test_a_collapse_that_an_evaluation_shows_is_told_as_one() -> None:
    told: list[dict[str, Any]] = []
    firing = RuleFiring("evaluation_drop", 10, "eval/pass@1", 0.06, 0.11, "collapse", "has fallen")
    session = SimpleNamespace(
        counters=SimpleNamespace(step=10),
        watch=SimpleNamespace(observe_evaluation=lambda step, metrics: [firing], decide=lambda: CollapseAction.NONE),
        tracker=SimpleNamespace(alert=lambda *words, **more: told.append(more)),
        ranks=SimpleNamespace(is_first=False),
    )
    watch_evaluation(cast(Session, session), {})
    assert told == [{"step": 10, "severity": "collapse"}]


@pytest.fixture
def rolls_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the collapse rules decide on a rollback after the step of that number, and only then."""
    at = {"step": 0, "wanted": 0}

    def observing(watch: CollapseWatch, step: int, metrics: dict[str, float]) -> list[RuleFiring]:
        at["step"] = step
        return []

    def deciding(watch: CollapseWatch) -> CollapseAction:
        return CollapseAction.ROLLBACK if at["step"] == at["wanted"] else CollapseAction.NONE

    monkeypatch.setattr(CollapseWatch, "observe", observing)
    monkeypatch.setattr(CollapseWatch, "decide", deciding)
    return lambda step: at.update(wanted=step)


ACTING = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1", "stability=act")


def test_a_rollback_leaves_no_reading_of_the_update_that_it_undid(
    run: Runs, steps: MetricRows, rolls_back: Callable[[int], None]
) -> None:
    """The third batch is sampled by a policy that the second update did not make: nothing lies between the two."""
    rolls_back(2)
    first, second, third, fourth = steps(run("a", *ACTING, "stability.snapshot_every=1"))
    between = {"thermo/dissipation", "thermo/predicted_dissipation"}
    assert not between & first.keys() and between <= second.keys()
    assert not between & third.keys() and between <= fourth.keys()
    fluctuation = [row["gradient/log_fluctuation"] for row in (first, second, third, fourth)]
    assert fluctuation[0] == fluctuation[2] == 0.0 < min(fluctuation[1], fluctuation[3])


@pytest.mark.parametrize("weighting", ["gradient", "recap"])
def test_a_rollback_puts_the_reward_weights_back_as_they_were_before_the_batch_of_its_state(
    run: Runs, rolls_back: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, weighting: str
) -> None:
    rolls_back(3)
    seen: list[dict[str, Any]] = []
    kind: Any = {"gradient": GradientWeighting, "recap": WindowWeighting}[weighting]
    weighted = kind.weighted

    def spy(own: Any, session: Session, batch: RolloutBatch) -> RolloutBatch:
        seen.append(own.state_dict())
        found: RolloutBatch = weighted(own, session, batch)
        return found

    monkeypatch.setattr(kind, "weighted", spy)
    run("a", *ACTING, "stability.snapshot_every=100", "reward=shaped", f"reward.weighting={weighting}")
    first, _, third, fourth = seen
    assert fourth == first != third, "the state before the first update came back"


@pytest.fixture
def broken_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the updates of some batches, counted from 1, leave a policy whose logits are nan."""
    adapt, done = adapt_after_batch, [0]

    def breaking(learner: Learner, *rest: Any) -> bool:
        found = adapt(learner, *rest)
        done[0] += 1
        if done[0] in batches:
            with torch.no_grad():
                next(iter(learner.policy.parameters())).fill_(math.nan)
        return found

    batches: list[int] = []

    def arrange(*numbers: int) -> None:
        batches.extend(numbers)
        monkeypatch.setattr("tvo_cli.training.training_loop.adapt_after_batch", breaking)

    return arrange


def verdict_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "collapse.json").read_text())
    return found


def test_a_policy_without_logits_is_rolled_back(
    run: Runs, broken_after: Callable[..., None], steps: MetricRows
) -> None:
    broken_after(2)
    folder = run("a", *ROLLBACK)
    rows = steps(folder)
    assert [row["stability/rollbacks"] for row in rows] == [0, 0, 1, 1]
    found = verdict_in(folder)
    assert (found["verdict"], found["rolled_back_at"], found["collapsed_at"]) == ("rolled back", [3], 3)
    assert [firing["rule"] for firing in found["firings"] if firing["severity"] == "collapse"] == ["logits"]
    assert all(bool(weight.isfinite().all()) for weight in trained_policy(folder, 4).values())


@pytest.mark.parametrize(("act", "verdict"), [("warn", "collapsed"), ("stop", "stopped")])
def test_a_policy_without_logits_ends_a_run_that_does_not_roll_back(
    run: Runs, broken_after: Callable[..., None], tmp_path: Path, act: str, verdict: str
) -> None:
    broken_after(2)
    said = r"^logits=nan or inf: step 3: at token 1 of a response to (?!2/)\S+ the model .* lower optimizer\.lr"
    with pytest.raises(UserError, match=said):
        run("a", f"stability.on_collapse={act}")
    found = verdict_in(tmp_path / "a")
    assert (found["verdict"], found["collapsed_at"], found["last_healthy_policy"]) == (verdict, 3, 1)
    assert [place.name for place in (tmp_path / "a" / "checkpoints").glob("step-*")] == ["step-000002"]


def test_a_policy_without_logits_again_soon_after_a_rollback_ends_the_run(
    run: Runs, broken_after: Callable[..., None], tmp_path: Path
) -> None:
    broken_after(2, 3)
    with pytest.raises(UserError, match="step 4: at token 1"):
        run("a", *ROLLBACK)
    assert verdict_in(tmp_path / "a")["rolled_back_at"] == [3]


def test_a_policy_without_logits_is_rolled_back_at_an_evaluation_too(
    run: Runs, broken_after: Callable[..., None], steps: MetricRows
) -> None:
    broken_after(2)
    held_out = ("evaluation.problems=4", "evaluation.samples=1", "evaluation.every=2")
    folder = run("a", *ROLLBACK, "evaluation=default", *held_out)
    rows = steps(folder)
    assert [row["step"] for row in rows if "reward/mean" in row] == [1, 2, 3, 4]
    assert verdict_in(folder)["rolled_back_at"] == [2]
    assert {row["step"] for row in rows if "eval/pass@1" in row} == {0, 4}, "that after step 2 had no policy"
