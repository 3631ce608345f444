"""Upgrade of configs that an earlier version recorded: values of later keys, and keys that are gone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from tvo_cli.config.moved_targets import current_target
from tvo_cli.config.renamed_keys import current_key_name, rename_keys_of_tree
from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND
from tvo_cli.config.schema.field_traversal import dotted, field_alternatives, fits_declaration
from tvo_cli.config.schema.value_types import DeclaredKeys
from tvo_cli.config.targets_in_tree import with_targets

PRECISION = "trainer.precision"
GONE = ("trainer.resume",)  # became the group `resume`


def upgrade_recorded_config(tree: Mapping[str, Any], root: str = "train") -> dict[str, Any]:
    """Return a recorded config with the keys declared since, as the program behaved before they were."""
    found: dict[str, Any] = with_targets(copy.deepcopy(dict(tree)), current_target)
    rename_keys_of_tree(found)
    _fill_later_keys(CONFIG_OF_COMMAND[root], found)
    for key in GONE:
        *above, last = key.split(".")
        node: Any = found
        for step in above:
            node = node.get(step, {})
        node.pop(last, None)
    return found


def _fill_later_keys(model: type[DeclaredKeys], tree: dict[str, Any]) -> None:
    """Set the keys declared since to what the program did before, in place."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if name not in tree and isinstance(extra, dict) and "before" in extra:
            tree[name] = copy.deepcopy(extra["before"])
        for annotation, _ in field_alternatives(field):
            below = tree.get(name)
            if (
                isinstance(annotation, type)
                and issubclass(annotation, DeclaredKeys)
                and fits_declaration(annotation, below)
            ):
                _fill_later_keys(annotation, tree[name])


def upgrade_recorded_settings(
    before: Mapping[str, Any], wanted: Mapping[str, Any], root: str = "train"
) -> dict[str, Any]:
    """Return recorded settings by dotted key, with those of `wanted` that were declared since."""
    since = dict(_settings_of_later_keys(CONFIG_OF_COMMAND[root]))
    kept = {
        current_key_name(key): _upgraded_recorded_setting(key, value)
        for key, value in before.items()
        if key not in GONE
    }
    if kept.get(PRECISION) == "auto":  # runs record what it comes to; earlier ones the word, and meant this
        kept[PRECISION] = kept.get("model.dtype")
    return {key: value for key, value in since.items() if key in wanted} | kept


def _upgraded_recorded_setting(key: str, value: Any) -> Any:
    """Upgrade a setting that an earlier version recorded: a `_target_` under its present name."""
    named = key.endswith("._target_") and isinstance(value, str)
    return current_target(value) if named else with_targets(value, current_target)


def _settings_of_later_keys(model: type[DeclaredKeys], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys declared since, with what earlier versions did."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "before" in extra:
            yield from _dotted_settings(extra["before"], dotted((*prefix, name)))
        for annotation, _ in field_alternatives(field):
            if isinstance(annotation, type) and issubclass(annotation, DeclaredKeys):
                yield from _settings_of_later_keys(annotation, (*prefix, name))


def _dotted_settings(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield a key's default of earlier versions as dotted settings."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _dotted_settings(one, f"{key}.{name}")
    else:
        yield key, value
