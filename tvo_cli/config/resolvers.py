"""OmegaConf resolvers of conf/ (`times` and others), and configs with every interpolation resolved."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.config.hydra_errors import explain_hydra_error

if TYPE_CHECKING:
    from omegaconf import DictConfig


def register_resolvers() -> None:
    """Register the resolvers `times`, `share_of`, `largest`, `eval_name` (of folders), `hub_or_fetched` (of models)."""
    from omegaconf import OmegaConf

    from tvo_cli.fetch.fetched_models import hub_or_fetched

    OmegaConf.register_new_resolver("times", multiply, replace=True)
    OmegaConf.register_new_resolver("share_of", count_of_share, replace=True)
    OmegaConf.register_new_resolver("largest", largest_of_sources, replace=True)
    OmegaConf.register_new_resolver("eval_name", evaluation_folder_name, replace=True)
    OmegaConf.register_new_resolver("hub_or_fetched", hub_or_fetched, replace=True)


def multiply(*factors: float) -> float:
    """Resolve `${times:a,b}`: the product of numbers, as in `${times:5.0e-5,${model.lr_scale}}`."""
    for value in factors:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"times needs numbers, not {value!r}")
    return math.prod(map(float, factors))


def count_of_share(share: float, count: int) -> int:
    """Resolve `${share_of:0.1,${trainer.steps}}`: that share of a count, to the nearest whole number, at least 1."""
    return max(1, round(multiply(share, count)))


def largest_of_sources(key: str, *, _parent_: DictConfig) -> Any:
    """Resolve `${largest:max_tokens}` beside `sources`: the largest value of a key of theirs; 1024 without a source."""
    found = [source[key] for source in (_parent_.get("sources") or {}).values()]
    return max(found, default=1024)


def evaluation_folder_name(*, _root_: DictConfig) -> str:
    """Resolve `${eval_name:}`: an evaluation's folder, from model, suites and a hash of what changes completions.

    The same command finds its folder again, also with another limit, other ids, or a base to compare with.
    """
    asked = {key: resolved_tree(_value_for_resolver(_root_, "evaluation").get(key)) for key in ("suites", "seed")}
    decides = [
        resolved_tree(_value_for_resolver(_root_, key)) for key in ("model", "protocol", "decoding", "path", "data_dir")
    ]
    text = json.dumps([asked, decides], sort_keys=True, default=str)
    path, name = (str(_value_for_resolver(_root_, f"model.{key}")) for key in ("path", "name"))
    label = name if ":" in path else _eval_name_of_checkpoint(Path(path))
    suites = "+".join(asked["suites"] or {})
    name = re.sub(r"[^\w.+-]+", "_", f"{label}-{suites}")[:80]
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def _value_for_resolver(config: DictConfig, key: str) -> Any:
    """Return the value of a key that a resolver needs; OmegaConf's interpolation error where there is none."""
    from omegaconf.errors import InterpolationKeyError

    node: Any = config
    for step in key.split("."):
        if step not in node.keys():  # noqa: SIM118 - `in` says no to what is there and still to be given
            raise InterpolationKeyError(f"Interpolation key '{key}' not found")
        node = node[step]
    return node


def resolved_tree(config: Any, overrides: Sequence[str] = ()) -> Any:
    """Return a config as dicts, lists and scalars, every interpolation resolved by its resolver."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not OmegaConf.is_config(config):
        return config
    try:
        return OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise explain_hydra_error(error, overrides) from error


def _eval_name_of_checkpoint(path: Path) -> str:
    """Return a model path as a label: `outputs/train/a/checkpoints/step-000030/policy` → `train-a-step-000030`."""
    parts = path.parts or path.absolute().parts
    kept = [part for part in parts if part not in ("/", "..", "outputs", "checkpoints", "policy")]
    return "-".join(kept[-3 if "checkpoints" in parts else -2 :])
