"""What a `_target_` of version 0.1 named goes on building, and a config's fingerprint does not change with the name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra.utils import get_object

from tvo_cli import config
from tvo_cli.config import schema
from tvo_cli.config.moved_targets import MOVED, PIECES, current_target, target_before_move
from tvo_cli.config.target_signatures import callable_keywords

MADE = Path(__file__).parents[1] / "golden" / "release_0_1" / "sweep"


@pytest.mark.parametrize("name", sorted(MOVED))
def test_every_new_name_is_there(name: str) -> None:
    assert get_object(MOVED[name])
    assert target_before_move(current_target(name)) == name


def test_what_did_not_move_is_itself() -> None:
    for name in ("tvo_cli.optim.Free", "torch.optim.AdamW", "tvo_cli.stability.readings.x"):
        assert current_target(name) == target_before_move(name) == name
    assert current_target("tvo_cli.stability.collapse_rules.Floor") == "tvo_cli.stability.collapse_rules.Floor"


def test_an_old_name_builds_and_has_its_keywords() -> None:
    surrogate = config.build({"_target_": f"{PIECES}.clip", "_partial_": True, "low": 0.2, "high": 0.3})
    assert surrogate.keywords == {"low": 0.2, "high": 0.3}
    known = callable_keywords(f"{PIECES}.clip")
    assert known and known == callable_keywords("tvo_cli.maths.surrogates.clipped_surrogate")


def test_fingerprints_are_those_of_0_1() -> None:
    jobs = json.loads((MADE / "sweep.json").read_text(encoding="utf-8"))["jobs"]
    for job in jobs:
        text = (MADE / job["folder"] / "config.yaml").read_text(encoding="utf-8")
        today = config.load_recorded_config(text)
        assert PIECES in text and PIECES not in json.dumps(config.resolved_tree(today))
        assert config.config_fingerprint(today) == job["fingerprint"]


def test_a_recorded_setting_is_the_same_under_its_new_name() -> None:
    before = {"a._target_": f"{PIECES}.token_mean", "b": f"{PIECES}.token_mean"}
    found = schema.upgrade_recorded_settings(before, {})
    assert found["a._target_"] == "tvo_cli.objective.reduction.token_mean"
    assert found["b"] == f"{PIECES}.token_mean"
