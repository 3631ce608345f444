"""What an editor suggests of the user's own: names of choices, and the `_target_`s that they and plugins name."""

from __future__ import annotations

from typing import Any

from tvo_cli.config.choices import choices_of_group, origin_of_choice
from tvo_cli.config.search_path import users_config_folders
from tvo_cli.config.targets_in_tree import targets_in_tree


def add_own_suggestions(schema: dict[str, Any], group: str) -> None:
    """Add examples to a group's JSON schema, in place: where nothing is the user's own, nothing changes."""
    names = [name for name in choices_of_group(group) if origin_of_choice(group, name)]
    targets = _own_targets()
    for node in _schema_nodes(schema):
        properties = node.get("properties")
        if not isinstance(properties, dict):
            continue
        if names and "defaults" in properties:
            properties["defaults"] = properties["defaults"] | {"items": {"examples": [*names, "_self_"]}}
        if targets and "_target_" in properties:
            properties["_target_"] = properties["_target_"] | {"examples": targets}


def _own_targets() -> list[str]:
    """Return the `_target_`s in yamls of the user's and of plugins that are not of this program."""
    from tvo_cli.config.defaults_list import read_yaml

    paths = [path for one in users_config_folders() for path in sorted(one.path.glob("*/*.yaml"))]
    found = {target for path in paths for _, target in targets_in_tree(read_yaml(path)) if isinstance(target, str)}
    return sorted(target for target in found if not target.startswith(("tvo_cli.", "torch.")))


def _schema_nodes(tree: Any) -> list[dict[str, Any]]:
    """Return every mapping of a JSON schema, into which suggestions of the user's own may be put."""
    if isinstance(tree, list):
        return [node for one in tree for node in _schema_nodes(one)]
    if not isinstance(tree, dict):
        return []
    return [tree, *(node for one in tree.values() for node in _schema_nodes(one))]
