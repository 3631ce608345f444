"""The pieces of an algorithm: what they refuse is refused before a model is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Never

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import build_session, train
from tvo_cli.experiment.build_algorithm import build_algorithm


def test_a_piece_is_refused_before_a_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> Never:
        pytest.fail("a model was loaded")

    monkeypatch.setattr(build_session, "load_policy", load)
    with pytest.raises(UserError, match=r"algorithm.step_rule.maximum=256"):
        train(config.compose(["algorithm.step_rule.minimum=300", "logger=none", f"output_dir={tmp_path}/run"]))
    assert not (tmp_path / "run").exists()


def test_two_algorithms_of_one_config_share_no_state() -> None:
    first, second = (build_algorithm(config.compose([])) for _ in range(2))
    first.step_rule.raise_viscosity(2.0)
    assert first.step_rule.state_dict() != second.step_rule.state_dict()
