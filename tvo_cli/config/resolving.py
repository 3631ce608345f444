"""Interpolations: the resolvers of conf/, and a config with all of them resolved."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.config.explaining import explain

if TYPE_CHECKING:
    from omegaconf import DictConfig


def register_resolvers() -> None:
    """`times` for learning rates; `eval_name` for folders."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("times", times, replace=True)
    OmegaConf.register_new_resolver("eval_name", eval_name, replace=True)


def times(left: float, right: float) -> float:
    """The product of two numbers: `${times:5.0e-5,${model.lr_scale}}`."""
    for value in (left, right):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"times needs two numbers, not {value!r}")
    return float(left) * float(right)


def eval_name(*, _root_: DictConfig) -> str:
    """An evaluation's folder: model, suites and six letters that change with whatever changes a completion.

    The same command finds its folder again, also with another limit, other ids, or a base to compare with.
    """
    asked = {key: plain(_needed(_root_, "evaluation").get(key)) for key in ("suites", "seed")}
    decides = [plain(_needed(_root_, key)) for key in ("model", "protocol", "decoding", "path", "data_dir")]
    text = json.dumps([asked, decides], sort_keys=True, default=str)
    path, name = (str(_needed(_root_, f"model.{key}")) for key in ("path", "name"))
    label = name if ":" in path else _place_name(Path(path))
    suites = "+".join(asked["suites"] or {})
    name = re.sub(r"[^\w.+-]+", "_", f"{label}-{suites}")[:80]
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _needed(config: DictConfig, key: str) -> Any:
    """What stands at a key; where nothing does, OmegaConf's error of an interpolation that leads to it."""
    from omegaconf.errors import InterpolationKeyError

    node: Any = config
    for step in key.split("."):
        if step not in node.keys():  # noqa: SIM118 - `in` says no to what is there and still to be given
            raise InterpolationKeyError(f"Interpolation key '{key}' not found")
        node = node[step]
    return node


def plain(config: Any, overrides: Sequence[str] = ()) -> Any:
    """Dicts, lists and scalars, with every interpolation resolved; `overrides`: what the config was composed from."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not OmegaConf.is_config(config):
        return config
    try:
        return OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise explain(error, overrides) from error


def _place_name(path: Path) -> str:
    """`outputs/train/a/checkpoints/step-000030/policy` → `train-a-step-000030`: a step is one of its run."""
    parts = path.parts or path.absolute().parts
    kept = [part for part in parts if part not in ("/", "..", "outputs", "checkpoints", "policy")]
    return "-".join(kept[-3 if "checkpoints" in parts else -2 :])
