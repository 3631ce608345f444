"""JSON schemas: of a type or field, for errors; of the groups of conf/, for editors.

A yaml of conf/ says a part of a group, so nothing is required there; any value may be an interpolation, or `???`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from tvo_cli.config.schema import adapter_groups, data_and_model_groups, evaluation_groups, training_groups
from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND, WHOLE
from tvo_cli.config.schema.own_suggestions import add_own_suggestions
from tvo_cli.config.schema.value_types import DeclaredKeys, Name, key
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names

_ADAPTERS: dict[int, tuple[Any, TypeAdapter[Any]]] = {}  # with the type itself, so that no other takes its id
_SCHEMAS: dict[int, tuple[Any, dict[str, Any]]] = {}

OPEN = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}  # ${dataset.suffix}; ???
HEAD: dict[str, Any] = {
    "defaults": {"type": "array", "description": "Hydra's defaults list: what this file starts from"},
    "hydra": {"type": "object", "description": "Hydra's own"},
}
REFERENCE = "#/definitions/"


class DatasetWithPlugins(DeclaredKeys):
    """A data set made by own code, and the plugin that has the code."""

    plugins: list[Name] = key("files and modules of own code: ./mine.py, my_package")
    dataset: data_and_model_groups.Dataset = key("which problems")


DIALECT = "http://json-schema.org/draft-07/schema#"
DECLARATIONS: dict[str, tuple[Any, ...]] = {
    "model": (data_and_model_groups.ModelConfig,),
    "adapter": (adapter_groups.Adapter,),
    "dataset": (data_and_model_groups.Dataset, DatasetWithPlugins),  # the latter by `# @package _global_`
    "curriculum": (data_and_model_groups.Curriculum,),
    "rollout": (training_groups.RolloutConfig,),
    "reward": (training_groups.RewardConfig,),
    "optimizer": (training_groups.OptimizerConfig,),
    "trainer": (training_groups.TrainerConfig,),
    "parallel": (training_groups.ParallelConfig,),
    "resume": (training_groups.ResumeConfig,),
    "recorder": (training_groups.RecorderConfig,),
    "stability": (training_groups.StabilityConfig,),
    "logger": (training_groups.LoggerConfig,),
    "protocol": (evaluation_groups.ProtocolConfig,),
    "evaluation": (
        evaluation_groups.EvaluationScheduleConfig,
        evaluation_groups.SuiteConfig,
    ),  # of a run; of `tvo eval`, by its @package
    "algorithm": (CONFIG_OF_COMMAND["train"],),  # both by `# @package _global_`
    "experiment": (*CONFIG_OF_COMMAND.values(),),
}


def editor_schema(group: str) -> dict[str, Any]:
    """Return the JSON schema of a group's yaml, for editors."""
    if group not in DECLARATIONS:
        raise UserError("--schema", group, "is declared by Hydra.", nearest_names(group, DECLARATIONS))
    kinds = [TypeAdapter(kind).json_schema(ref_template=REFERENCE + "{model}") for kind in DECLARATIONS[group]]
    definitions = {name: _partial_json_schema(one) for kind in kinds for name, one in kind.pop("$defs", {}).items()}
    body = _partial_json_schema(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    for whole in _alternatives_of_file(body, definitions):
        whole["properties"] |= HEAD if group in WHOLE else {"defaults": HEAD["defaults"]}
    found = {"$schema": DIALECT, "title": f"conf/{group}/*.yaml of tvo", **body}
    found |= {"definitions": {**definitions, "Open": OPEN}}
    add_own_suggestions(found, group)
    return found


def _alternatives_of_file(body: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON schemas that a whole yaml may have."""
    if "$ref" in body:
        return [definitions[body["$ref"].removeprefix(REFERENCE)]]
    return (
        [one for kind in body["anyOf"] for one in _alternatives_of_file(kind, definitions)]
        if "anyOf" in body
        else [body]
    )


def editor_groups() -> list[str]:
    """Return the groups that have a JSON schema."""
    return sorted(DECLARATIONS)


def _partial_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a part of a group: nothing required, interpolations let through."""
    kept = {key: value for key, value in schema.items() if key not in ("required", "title", "default", "discriminator")}
    kept.pop("before", None)
    for several in ("anyOf", "oneOf"):
        if several in kept:
            kept["anyOf"] = [_partial_json_schema(one) for one in kept.pop(several)]
    if "properties" in kept and "_target_" not in kept["properties"]:
        kept["properties"] = {name: _open_json_schema(one) for name, one in kept["properties"].items()}
    if "items" in kept:
        kept["items"] = _open_json_schema(kept["items"])
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _open_json_schema(kept["additionalProperties"])
    return kept


def _open_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema that takes an interpolation or `???` as well."""
    inner = _partial_json_schema(schema)
    description = inner.pop("description", None)
    branches = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return ({"description": description} if description else {}) | {"anyOf": [*branches, {"$ref": REFERENCE + "Open"}]}


def json_schema_adapter(kind: Any) -> TypeAdapter[Any]:
    """Return pydantic's adapter of a type, which validates it and has its JSON schema; built once."""
    if id(kind) not in _ADAPTERS:
        _ADAPTERS[id(kind)] = (kind, TypeAdapter(kind))
    return _ADAPTERS[id(kind)][1]


def json_schema_of_type(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a type."""
    if id(kind) not in _SCHEMAS:
        _SCHEMAS[id(kind)] = (kind, json_schema_adapter(kind).json_schema())
    return _SCHEMAS[id(kind)][1]


def json_schema_of_field(field: FieldInfo) -> dict[str, Any]:
    """Return the JSON schema of a declared field."""
    if not field.metadata:
        return json_schema_of_type(field.annotation)
    kind: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(kind).json_schema()
