"""Errors of pydantic as a UserError that names key, value, place and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tvo_cli import redaction
from tvo_cli.config.missing_choices import remedy_for_yaml_in_place_of_ours
from tvo_cli.config.overrides import split_override
from tvo_cli.config.schema.field_traversal import (
    declared_fields,
    dotted,
    field_at,
    is_built_field,
)
from tvo_cli.config.schema.json_schema import json_schema_of_field
from tvo_cli.config.schema.key_location import ConfigSources, key_location
from tvo_cli.config.schema.known_keys import keys_of_config, keys_of_same_group, meaning_of_key
from tvo_cli.config.schema.value_descriptions import (
    choices_of_value,
    describe_value,
    describe_value_as_override,
    how_to_write_value,
)
from tvo_cli.config.schema.value_types import DeclaredKeys
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names

UNKNOWN, ABSENT = "extra_forbidden", "missing"
ORDER = {UNKNOWN: 0, ABSENT: 2}  # a mistyped key explains a missing one
_LACKING = object()


def missing_key_error(key: str, overrides: Sequence[str]) -> UserError:
    """Return the error for a key that is missing: deleted by the command line, or never written."""
    taken = (split_override(word)[0] for word in overrides if word.startswith("~"))
    away = next((one for one in taken if f"{key}.".startswith(f"{one}.")), "")
    meaning = meaning_of_key(key)
    remedy_ = f"It is needed ({meaning}). Leave out ~{away}" if away else f"Add it: +{key}=… ({meaning})"
    instead = "" if away else remedy_for_yaml_in_place_of_ours(key.partition(".")[0], overrides)
    return UserError(key, "", "is missing.", f"{instead} {remedy_}".strip())


def key_not_given_error(key: str) -> UserError:
    """Return the error for a `???`, with the declared meaning of its key."""
    meaning = meaning_of_key(key)
    said = f"Set {meaning if meaning.startswith(f'{key}=') else f'{key}=… ({meaning})' if meaning else f'{key}=…'}."
    return UserError(key, "???", "must be given.", said)


def error_rank(error: Mapping[str, Any], tree: Mapping[str, Any], given: ConfigSources) -> tuple[int, bool]:
    """Return the rank by which the first of several validation errors is chosen: keys that were typed first."""
    place = dotted(tuple(_path_of_error(tree, error["loc"], absent=error["type"] == ABSENT)))
    typed = any(f"{place}.".startswith(f"{split_override(word)[0]}.") for word in given.overrides)
    return ORDER.get(error["type"], 1), not typed


def validation_error(
    model: type[DeclaredKeys], tree: Mapping[str, Any], error: Mapping[str, Any], given: ConfigSources
) -> UserError:
    """Return the UserError of a pydantic error."""
    path = tuple(_path_of_error(tree, error["loc"], absent=error["type"] == ABSENT))
    if error["type"] == UNKNOWN:
        return _unknown_key_error(model, tree, path, given)
    if error["type"].startswith("union_tag"):
        kinds = error["ctx"].get("expected_tags", "").replace("'", "")
        return UserError(
            f"{dotted(path)}.kind",
            describe_value_as_override(error["input"].get("kind")),
            "not a choice.",
            f"Choose {kinds}.",
        )
    known = field_at(model, tree, path)
    path = known[0] if known else path
    key, value = dotted(path), _value_at_path(tree, path)
    if error["type"] == ABSENT or value is _LACKING:
        return missing_key_error(key, given.overrides)
    return _wrong_value_error(key, value, json_schema_of_field(known[1]) if known else {}, given)


def _wrong_value_error(key: str, value: Any, schema: dict[str, Any], given: ConfigSources) -> UserError:
    """Return the error for a value that its key cannot have."""
    offered = choices_of_value(schema)
    where = key_location(key, given)
    if offered:
        return UserError(
            key, describe_value_as_override(value), f"not a choice{where}.", f"Choose {', '.join(offered)}."
        )
    return UserError(
        key,
        describe_value_as_override(value),
        f"must be {describe_value(schema)}{where}.",
        how_to_write_value(key, value, schema),
    )


def _unknown_key_error(
    model: type[DeclaredKeys], tree: Mapping[str, Any], path: Sequence[str | int], given: ConfigSources
) -> UserError:
    """Return the error for a key that is not declared."""
    key, value = dotted(path), _value_at_path(tree, path)
    where = key_location(key, given)
    hidden = redaction.redacted({str(path[-1]): value})[str(path[-1])]
    if path[0] == "experiment":
        advice = "A file of conf/experiment begins with the line: # @package _global_"
    else:
        advice = nearest_names(key, keys_of_config(model, tree)) or keys_of_same_group(model, tree, path)
    return UserError(key, describe_value_as_override(hidden), f"there is no such key{where}.", advice)


def misplaced_target_error(key: str, target: object, model: type[DeclaredKeys], given: ConfigSources) -> UserError:
    """Return the error for a `_target_` where no key of the config takes one."""
    where = key_location(key, given)
    problem = f"nothing is built there, so it would have no effect{where}."
    nodes = sorted(
        {dotted(path).replace("*", "NAME") for path, field in declared_fields(model) if is_built_field(field)}
    )
    return UserError(key, target, problem, f"A _target_ may stand in: {', '.join(nodes) or 'no key of this command'}.")


def _path_of_error(tree: Any, location: Sequence[str | int], *, absent: bool) -> Iterator[str | int]:
    """Yield the path in the config of a pydantic error, whose own location names the branches of unions too."""
    for place, step in enumerate(location):
        below = _value_at_path(tree, (step,))
        if below is not _LACKING:
            tree = below
            yield step
        elif absent and place == len(location) - 1:
            yield step


def _value_at_path(tree: Any, path: Sequence[Any]) -> Any:
    """Return the value of a config at an error's path."""
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return _LACKING
    return tree
