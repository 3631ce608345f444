"""Whether the suite that `tvo eval` takes by default is the run's own data, asked as the run asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvo_cli.config.choices import choice_path

DEFAULT_SUITE = "arithmetic"
HELDOUT_SUITE = "heldout"  # conf/evaluation/heldout.yaml


def is_run_of_default_suite(config: Mapping[str, Any]) -> bool:
    """Return whether a run's config has the default suite's problems, prompt and judge; what it leaves out is equal."""
    from omegaconf import OmegaConf

    data: Mapping[str, Any] = config.get("dataset") or {}
    default = OmegaConf.load(choice_path("dataset", DEFAULT_SUITE))
    asked = {"template": "plain", "system": None, "suffix": default.suffix}
    judged = {"profile": default.profile, "scorer": None, "unfinished": "wrong", "unboxed": "wrong"}
    return (
        data.get("name", DEFAULT_SUITE) == DEFAULT_SUITE
        and _agrees(data, dict(default))
        and _agrees((config.get("model") or {}).get("prompt") or {}, asked)
        and _agrees(config.get("reward") or {}, judged)
    )


def _agrees(stated: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a run's config states each of the default suite's values so, as far as it states them."""
    return all(stated[key] == value for key, value in wanted.items() if key in stated)
