"""Validation of a composed config against its declaration, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tvo_cli.config.overrides import split_override
from tvo_cli.config.schema import target_keywords
from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND
from tvo_cli.config.schema.engine_checks import check_engine
from tvo_cli.config.schema.field_traversal import (
    dotted,
    marked_fields,
)
from tvo_cli.config.schema.key_location import NO_SOURCES, ConfigSources
from tvo_cli.config.schema.known_keys import resolved_tree_of_command
from tvo_cli.config.schema.validation_errors import (
    error_rank,
    key_not_given_error,
    misplaced_target_error,
    validation_error,
)
from tvo_cli.config.schema.value_types import BUILT, DeclaredKeys
from tvo_cli.config.targets_in_tree import targets_in_tree
from tvo_cli.plugins.own_code_references import referenced_plugins
from tvo_cli.plugins.own_targets import allow_plugins, check_plugins_of_config


def validate_config(
    config: Any, root: str, given: ConfigSources = NO_SOURCES, tree: dict[str, Any] | None = None
) -> None:
    """Raise UserError for the first key that is not declared, is missing, or has a value it cannot have.

    `root`: train, eval, sft, variance. `tree`: the config with every interpolation resolved, where a caller has it.
    """
    model = CONFIG_OF_COMMAND[root]
    tree = resolved_tree_of_command(config, root, given.overrides) if tree is None else tree
    allow_plugins(referenced_plugins(tree))
    check_plugins_of_config(targets_in_tree(tree), referenced_plugins(tree))
    _check_nothing_is_left_to_give(tree)
    found = list(marked_fields(model, tree))
    built = {dotted(place.path): place.value for place in found if place.mark == BUILT}
    for key, target in targets_in_tree(tree):
        if not any(key.startswith(f"{place}.") for place in built):
            raise misplaced_target_error(key, target, model, given)
    _validate_keys(model, tree, given)
    check_engine(tree.get("rollout", {}), root)
    typed = {split_override(word)[0] for word in given.overrides}
    for place, node in built.items():
        target_keywords.check_target_keywords(place, node, typed)


def _check_nothing_is_left_to_give(tree: Mapping[str, Any], path: str = "") -> None:
    """Refuse a composed config with a `???`: a key that a yaml leaves to the command line."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            _check_nothing_is_left_to_give(value, f"{path}{name}.")
        elif value == "???":
            raise key_not_given_error(f"{path}{name}")


def _validate_keys(model: type[DeclaredKeys], tree: Mapping[str, Any], given: ConfigSources) -> None:
    """Validate every key by pydantic, and raise the first error as a UserError."""
    try:
        model.model_validate(tree)
    except ValidationError as error:
        first = min(error.errors(include_url=False), key=lambda one: error_rank(one, tree, given))
        raise validation_error(model, tree, first, given) from error
