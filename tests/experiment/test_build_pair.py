"""The small model beside an evaluated one: where it cannot be asked, that is said before anything is loaded."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from tvo_cli.errors import UserError
from tvo_cli.experiment.build_pair import check_pair


def test_only_the_programs_own_loop_says_how_uncertain_it_was() -> None:
    switch = {"small": "packaged:tiny", "threshold": 1.0, "window": 5, "least": 10}
    with pytest.raises(UserError, match=r"rollout=vllm.* protocol\.switch.* rollout=default"):
        check_pair(OmegaConf.create({"rollout": {"engine": "vllm"}, "protocol": {"switch": switch}}))
    check_pair(OmegaConf.create({"rollout": {"engine": "vllm"}, "protocol": {"switch": None}}))
    check_pair(OmegaConf.create({"rollout": {}, "protocol": {"switch": switch}}))
