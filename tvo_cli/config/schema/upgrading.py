"""Configs that an earlier version recorded: what a key that did not exist stood for, and keys that are gone."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from tvo_cli.config.moved_targets import current_target, with_targets
from tvo_cli.config.renamed_keys import current_name, rename_tree
from tvo_cli.config.schema.field_traversal import dotted, fits, of_field
from tvo_cli.config.schema.kinds import Keys
from tvo_cli.config.schema.roots import ROOTS

GONE = ("trainer.resume",)  # became the group `resume`


def upgraded(tree: Mapping[str, Any], root: str = "train") -> dict[str, Any]:
    """A recorded config with the keys that were declared since, as the program behaved before they were."""
    found: dict[str, Any] = with_targets(copy.deepcopy(dict(tree)), current_target)
    rename_tree(found)
    _fill(ROOTS[root], found)
    for key in GONE:
        *above, last = key.split(".")
        node: Any = found
        for step in above:
            node = node.get(step, {})
        node.pop(last, None)
    return found


def _fill(model: type[Keys], tree: dict[str, Any]) -> None:
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if name not in tree and isinstance(extra, dict) and "before" in extra:
            tree[name] = copy.deepcopy(extra["before"])
        for annotation, _ in of_field(field):
            below = tree.get(name)
            if isinstance(annotation, type) and issubclass(annotation, Keys) and fits(annotation, below):
                _fill(annotation, tree[name])


def settled(before: Mapping[str, Any], wanted: Mapping[str, Any], root: str = "train") -> dict[str, Any]:
    """Recorded settings by dotted key, with those of `wanted` that were declared since."""
    since = dict(_since(ROOTS[root]))
    kept = {current_name(key): _current(key, value) for key, value in before.items() if key not in GONE}
    return {key: value for key, value in since.items() if key in wanted} | kept


def _current(key: str, value: Any) -> Any:
    """A recorded value, a `_target_` by its present name."""
    named = key.endswith("._target_") and isinstance(value, str)
    return current_target(value) if named else with_targets(value, current_target)


def _since(model: type[Keys], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of what earlier versions did."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "before" in extra:
            yield from _flat(extra["before"], dotted((*prefix, name)))
        for annotation, _ in of_field(field):
            if isinstance(annotation, type) and issubclass(annotation, Keys):
                yield from _since(annotation, (*prefix, name))


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _flat(one, f"{key}.{name}")
    else:
        yield key, value
