"""A JSON schema of a group of conf/, for editors: completion, meanings and red lines while a yaml is written.

A yaml of conf/ says a part of a group, so nothing is required there; any value may be an interpolation, or `???`.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from tvo_cli.config.describing import nearest
from tvo_cli.config.schema import data, evaluation, training
from tvo_cli.config.schema.roots import ROOTS, WHOLE
from tvo_cli.errors import UserError

OPEN = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}  # ${dataset.suffix}; ???
HEAD: dict[str, Any] = {
    "defaults": {"type": "array", "description": "Hydra's defaults list: what this file starts from"},
    "hydra": {"type": "object", "description": "Hydra's own"},
}
REFERENCE = "#/definitions/"
DIALECT = "http://json-schema.org/draft-07/schema#"
PIECES: dict[str, tuple[Any, ...]] = {
    "model": (data.Model,),
    "dataset": (data.Dataset,),
    "rollout": (training.Rollout,),
    "reward": (training.Reward,),
    "optimizer": (training.Optimizer,),
    "trainer": (training.Trainer,),
    "resume": (training.Resume,),
    "recorder": (training.Recorder,),
    "stability": (training.Stability,),
    "logger": (training.Logger,),
    "protocol": (evaluation.Protocol,),
    "evaluation": (evaluation.Schedule, evaluation.Suite),  # of a run; of `tvo eval`, by its @package
    "algorithm": (ROOTS["train"],),  # both by `# @package _global_`
    "experiment": (*ROOTS.values(),),
}


def editor_schema(group: str) -> dict[str, Any]:
    """What a yaml of this group may hold."""
    if group not in PIECES:
        raise UserError("--schema", group, "is declared by Hydra.", nearest(group, PIECES))
    kinds = [TypeAdapter(kind).json_schema(ref_template=REFERENCE + "{model}") for kind in PIECES[group]]
    definitions = {name: _partial(one) for kind in kinds for name, one in kind.pop("$defs", {}).items()}
    body = _partial(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    for whole in _wholes(body, definitions):
        whole["properties"] |= HEAD if group in WHOLE else {"defaults": HEAD["defaults"]}
    found = {"$schema": DIALECT, "title": f"conf/{group}/*.yaml of tvo", **body}
    return found | {"definitions": {**definitions, "Open": OPEN}}


def _wholes(body: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives of a whole file."""
    several = body.get("anyOf", [body])
    return [definitions[one["$ref"].removeprefix(REFERENCE)] if "$ref" in one else one for one in several]


def editor_groups() -> list[str]:
    """The groups that have a schema."""
    return sorted(PIECES)


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a part: nothing required, interpolations let through, a mapping's alternatives side by side."""
    kept = {key: value for key, value in schema.items() if key not in ("required", "title", "default", "discriminator")}
    kept.pop("before", None)
    for several in ("anyOf", "oneOf"):
        if several in kept:
            kept["anyOf"] = [_partial(one) for one in kept.pop(several)]
    if "properties" in kept and "_target_" not in kept["properties"]:
        kept["properties"] = {name: _open(one) for name, one in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _open(kept["items"])
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _open(kept["additionalProperties"])
    return kept


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    inner = _partial(schema)
    description = inner.pop("description", None)
    branches = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return ({"description": description} if description else {}) | {"anyOf": [*branches, {"$ref": REFERENCE + "Open"}]}
