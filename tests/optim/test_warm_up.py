"""A linear rise in front of any schedule: its values by hand, what is refused, and what stays as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from tests.training.conftest import train_in
from tvo_cli import config
from tvo_cli.config import schema
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.optim import (
    AdaptiveRate,
    Constant,
    Cosine,
    Linear,
    Probability,
    RiverValley,
    StepRule,
    Viscosity,
    WarmUp,
    with_warm_up,
)
from tvo_cli.optim.schedule import Schedule
from tvo_cli.training.update.learner import CriticLearner

RIVER = RiverValley(start=1.0, end=0.1, warm_up=0, hold=0.5, drop=0.5, stiffness=0.0)
EVERY = [Constant(), Linear(1.75, 0.25), Cosine(1.0, 0.1), RIVER]


@pytest.mark.parametrize("schedule", EVERY)
def test_the_rise_is_a_factor_on_every_schedule(schedule: Schedule) -> None:
    warmed = with_warm_up(schedule, 4)
    shares = [warmed(k, 10) / schedule(k, 10) for k in range(8)]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    assert with_warm_up(schedule, 0) is schedule
    assert [WarmUp(schedule, 1)(k, 10) for k in range(12)] == [schedule(k, 10) for k in range(12)]


def test_a_schedules_own_rise_is_the_same_one() -> None:
    own = RiverValley(start=1.0, end=0.1, warm_up=3, hold=0.5, drop=0.5, stiffness=0.0)
    assert [WarmUp(RIVER, 3)(k, 10) for k in range(12)] == pytest.approx([own(k, 10) for k in range(12)])


def test_two_rises_at_once_are_refused() -> None:
    river = ("optimizer=adamw_river_valley", "optimizer.schedule.warm_up=2", "output_dir=x")
    check_across_keys(config.compose([*river]))
    with pytest.raises(UserError, match=r"optimizer\.schedule\.warm_up=2.* Set one of the two to 0"):
        check_across_keys(config.compose([*river, "optimizer.warm_up=3"]))


@pytest.mark.parametrize("optimizer", config.choices_of_group("optimizer"))
def test_without_a_rise_the_fingerprint_is_that_of_before(optimizer: str) -> None:
    chosen = config.compose([f"optimizer={optimizer}", "output_dir=x"])
    now = config.config_fingerprint(chosen)
    OmegaConf.set_struct(chosen, False)
    del chosen.optimizer.warm_up
    assert config.config_fingerprint(chosen) == now
    chosen.optimizer.warm_up = 3
    assert config.config_fingerprint(chosen) != now, "a run with a rise is another run"


def test_a_run_from_before_the_key_is_resumed_without_a_rise() -> None:
    recorded = {"optimizer.lr": 5e-5}
    assert schema.upgrade_recorded_settings(recorded, {**recorded, "optimizer.warm_up": 0})["optimizer.warm_up"] == 0


VISCOUS = Viscosity(Probability(0.02), Constant(), exponent=0.5, initial=1.0, maximum=256.0)
ADAPTIVE = AdaptiveRate(binary_total_variation, target=0.02, factor=1.5, minimum=0.01, maximum=100.0)


def test_a_schedule_from_0_has_a_least_set_point() -> None:
    rule = Viscosity(Probability(0.02), Cosine(0.0, 1.0), exponent=0.5, initial=1.0, maximum=256.0)
    rule.begin_batch(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), 0, 10)
    assert rule.target == 1e-6 and rule.viscosity(0.1) > 1e9


def rates(rule: StepRule, rise: int, batches: int = 12) -> list[float]:
    """Rates of the last of four steps of each batch, where what a step changes is proportional to its rate."""
    found, schedule = [], with_warm_up(Constant(), rise)
    for k in range(batches):
        rule.begin_batch(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), k, batches)
        moved = 0.0
        for _ in range(4):
            found_rate = schedule(k, batches) / rule.viscosity(moved)
            moved += 0.05 * found_rate
        rule.end_batch()
        found.append(found_rate)
    return found


@pytest.mark.parametrize("rule", [VISCOUS, ADAPTIVE], ids=["viscous", "adaptive"])
def test_a_rule_that_holds_a_divergence_does_not_undo_the_rise(rule: Viscosity | AdaptiveRate) -> None:
    plain, warmed = rates(replace(rule), 0), rates(replace(rule, warm_up=8), 8)
    shares = [one / other for one, other in zip(warmed, plain, strict=True)]
    assert shares == pytest.approx([min(1.0, (k + 1) / 8) for k in range(12)], rel=1e-9)
    undone = rates(replace(rule), 8)
    assert undone[3] > 1.5 * warmed[3], "what this test is about"


@pytest.mark.slow
def test_the_target_of_a_run_rises_with_its_rate(tmp_path: Path) -> None:
    words = ("algorithm=tvo", "trainer.steps=2", "recorder=off")
    plain, warmed = (
        [json.loads(line) for line in (train_in(tmp_path / name, (*words, *more)) / "metrics.jsonl").open()]
        for name, more in (("plain", ()), ("warmed", ("optimizer.warm_up=4",)))
    )
    assert warmed[0]["thermo/set_point"] == pytest.approx(plain[0]["thermo/set_point"] / 4, rel=1e-6)
    assert warmed[1]["thermo/set_point"] == pytest.approx(plain[1]["thermo/set_point"] / 2, rel=0.1)


def test_a_resumed_adaptive_rate_knows_how_far_its_target_has_risen() -> None:
    rule = replace(ADAPTIVE, warm_up=4)
    rule.begin_batch(torch.zeros(1, 1), torch.ones(1, 1, dtype=torch.bool), 0, 9)
    other = replace(ADAPTIVE, warm_up=4)
    other.load_state_dict(rule.state_dict())
    assert [other.viscosity(0.0), other.viscosity(0.03)] == [rule.viscosity(0.0), rule.viscosity(0.03)] == [1.0, 1.5]
    other.load_state_dict({"current": 1.0, "begun": 0.0})  # of a run from before
    assert other.rise == 1.0


@pytest.mark.slow
def test_the_critic_follows_the_schedule_at_its_own_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    step = CriticLearner.step

    def stepping(one: CriticLearner, *given: float) -> float:
        loss = step(one, *given)
        seen.append(one.optimizer.param_groups[0]["lr"])
        return loss

    monkeypatch.setattr(CriticLearner, "step", stepping)
    words = ("algorithm=ppo", "algorithm.critic.lr=0.01", "rollout.epochs=1", "rollout.minibatches=1")
    train_in(tmp_path / "run", (*words, "trainer.steps=4", "optimizer=adamw_cosine", "optimizer.warm_up=2"))
    shape = with_warm_up(Cosine(1.0, 0.1), 2)
    assert seen == pytest.approx([0.01 * shape(k, 4) for k in range(4)])


def test_a_rise_of_the_rate_and_one_of_the_target_are_refused() -> None:
    own = ("algorithm=tvo_river_valley", "algorithm.step_rule.schedule.warm_up=2", "output_dir=x")
    check_across_keys(config.compose([*own]))
    with pytest.raises(UserError, match=r"optimizer\.warm_up=3: there is algorithm\.step_rule\.schedule\.warm_up=2"):
        check_across_keys(config.compose([*own, "optimizer.warm_up=3"]))
