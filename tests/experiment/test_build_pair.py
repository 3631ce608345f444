"""The small model beside an evaluated one: where it cannot be asked, that is said before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_pair import check_pair, pair_engine
from tvo_cli.model import Policy, load_policy
from tvo_cli.training.device_and_precision import Runtime


def test_only_the_programs_own_loop_says_how_uncertain_it_was() -> None:
    switch = {"small": "packaged:tiny", "threshold": 1.0, "window": 5, "least": 10}
    with pytest.raises(UserError, match=r"rollout=vllm.* protocol\.switch.* rollout=default"):
        check_pair(OmegaConf.create({"rollout": {"engine": "vllm"}, "protocol": {"switch": switch}}))
    check_pair(OmegaConf.create({"rollout": {"engine": "vllm"}, "protocol": {"switch": None}}))
    check_pair(OmegaConf.create({"rollout": {}, "protocol": {"switch": switch}}))


def test_a_small_model_that_is_not_there_is_named_by_its_own_key(tmp_path: Path) -> None:
    switch = {"small": str(tmp_path / "none"), "threshold": 1.0, "window": 5, "least": 10}
    wanted = OmegaConf.create({"model": {"path": "packaged:tiny"}, "protocol": {"switch": switch}})
    runtime = cast(Runtime, SimpleNamespace(device="cpu"))
    with pytest.raises(UserError, match=r"^protocol\.switch\.small=.*none: no such folder"):
        pair_engine(wanted, cast(Policy, None), runtime)


@pytest.mark.parametrize(("path", "same"), [("packaged:tiny", True), ("packaged:tiny_addition", False)])
def test_a_model_beside_itself_is_said(caplog: pytest.LogCaptureFixture, path: str, same: bool) -> None:
    wanted = config.compose(["output_dir=x", "protocol=entropy_adaptive", f"model.path={path}"], "eval")
    runtime = cast(Runtime, SimpleNamespace(device="cpu"))
    pair_engine(wanted, load_policy(wanted.model, device="cpu"), runtime)
    said = "protocol.switch.small=packaged:tiny is the model of model.path=packaged:tiny itself" in caplog.text
    assert said == same
