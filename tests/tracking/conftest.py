"""A config as small as the tracker needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import OmegaConf


@pytest.fixture
def make_config() -> Callable[..., Any]:
    """A resolved-looking config with the given logger."""

    def make(**logger: object) -> Any:
        return OmegaConf.create(
            {
                "seed": 5,
                "output_dir": "somewhere",
                "algorithm": {"name": "tvo"},
                "model": {"name": "tiny", "hf_token": "hush"},
                "dataset": {"name": "arithmetic"},
                "trainer": {"steps": 4},
                "lr": "${seed}",
                "logger": {"name": "none", "console": "off", "every_seconds": 0, **logger},
            }
        )

    return make
