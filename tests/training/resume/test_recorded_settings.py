"""The settings that a resume compares, as they are recorded."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable

import pytest

from tests.training.conftest import Runs, Whole
from tvo_cli.errors import UserError
from tvo_cli.training.resume import recorded_settings


def test_what_is_not_finite_is_recorded_by_its_name() -> None:
    found = dict(
        recorded_settings._flatten_settings({"surrogate": {"low": math.inf, "high": -math.inf}, "cap": [1.0, math.nan]})
    )
    assert found == {"surrogate.low": "inf", "surrogate.high": "-inf", "cap": [1.0, "nan"]}


QUICK = ("algorithm=grpo", "rollout.epochs=1", "trainer.steps=2", "trainer.checkpoint_every=1")
OTHER = ("trainer.steps=3", "optimizer.lr=1e-4", "resume.allow=[optimizer.lr]")


def test_an_allowed_setting_is_recorded_with_the_first_checkpoint_under_it(
    run: Runs, whole: Whole, pulled: Callable[..., None]
) -> None:
    root = shutil.copytree(whole(*QUICK), run.root / "a") / "checkpoints"
    recorded = recorded_settings.recorded_settings
    before = recorded(root)["optimizer.lr"]
    pulled("a", *QUICK, *OTHER, after=0)
    assert recorded(root)["optimizer.lr"] == before, "every checkpoint is still of the setting before"
    pulled("a", *QUICK, "trainer.steps=3", after=0)  # which goes on with them, and is not refused
    run("a", *QUICK, *OTHER)
    assert recorded(root)["optimizer.lr"] == 1e-4 != before
    with pytest.raises(UserError, match=r"optimizer\.lr=.* \(recorded: 0\.0001\)"):
        run("a", *QUICK, "trainer.steps=4")


def test_an_allowed_setting_that_a_run_gives_up_is_never_recorded(
    run: Runs, whole: Whole, pulled: Callable[..., None]
) -> None:
    root = shutil.copytree(whole(*QUICK), run.root / "a") / "checkpoints"
    before = recorded_settings.recorded_settings(root)["optimizer.lr"]
    pulled("a", *QUICK, *OTHER, after=0)
    run("a", *QUICK, "trainer.steps=3")
    assert recorded_settings.recorded_settings(root)["optimizer.lr"] == before
