"""A linear rise in front of any schedule: its values by hand, what is refused, and what stays as it was."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config import schema
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.optim import Constant, Cosine, Linear, RiverValley, WarmUp, with_warm_up
from tvo_cli.optim.schedule import Schedule

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
