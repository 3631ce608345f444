"""What follows when a collapse rule fires."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.training.conftest import MetricRows, Runs
from tvo_cli.stability import CollapseAction, CollapseWatch
from tvo_cli.stability.rule_interface import RuleFiring
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.collapse_response import watch_evaluation
from tvo_cli.training.reward_terms.gradient_weighting import GradientWeighting
from tvo_cli.training.reward_terms.window_weighting import WindowWeighting
from tvo_cli.training.session import Session


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
