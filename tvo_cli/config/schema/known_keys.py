"""The keys that exist: of every command, of one command, of one composed config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tvo_cli.config.resolvers import resolved_tree
from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND, STAND_INS
from tvo_cli.config.schema.field_traversal import (
    declared_fields,
    dotted,
    field_alternatives,
    field_at,
    fits_declaration,
    is_built_field,
)
from tvo_cli.config.schema.value_types import FREE, DeclaredKeys
from tvo_cli.config.target_signatures import callable_keywords
from tvo_cli.errors import UserError


def declared_keys(root: str) -> list[str]:
    """Return every key that a command's config may have; `*` stands for the names of a map."""
    return [dotted(path) for path, _ in declared_fields(CONFIG_OF_COMMAND[root])] if root in CONFIG_OF_COMMAND else []


def undeclared_key_maps(root: str) -> list[str]:
    """Return the maps of a command's config whose keys are not declared by this program."""
    fields = declared_fields(CONFIG_OF_COMMAND[root]) if root in CONFIG_OF_COMMAND else ()
    return [dotted(path) for path, field in fields if any(FREE in marks for _, marks in field_alternatives(field))]


def resolved_tree_of_command(config: Any, root: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return a command's config as a plain tree without Hydra's node; a stand-in for what its sessions know."""
    from omegaconf import OmegaConf

    stand_in = STAND_INS.get(root, {})
    joined = OmegaConf.merge(OmegaConf.create(stand_in), config) if stand_in else config
    return {key: value for key, value in resolved_tree(joined, overrides).items() if key not in {"hydra", *stand_in}}


def is_declared_key(key: str) -> bool:
    """Return whether some command has this key."""
    return any(dotted(path) == key for root in CONFIG_OF_COMMAND.values() for path, _ in declared_fields(root))


def meaning_of_key(key: str) -> str:
    """Return what the declaration says of a key."""
    fields = (
        field for root in CONFIG_OF_COMMAND.values() for path, field in declared_fields(root) if dotted(path) == key
    )
    return next((field.description or "" for field in fields), "")


def keys_of_config(model: type[DeclaredKeys], tree: Mapping[str, Any]) -> list[str]:
    """Return the keys that a config may have: its own declared ones, and the optional ones beside them."""
    return sorted(
        {*_keys_of_declaration(model, tree), *(key for key in dotted_keys(tree) if _is_declared_in(model, tree, key))}
    )


def possible_keys(config: Any, root: str) -> list[str]:
    """Return the keys that a composed config may have, whatever still has to be given."""
    try:
        tree = resolved_tree_of_command(config, root)
        return sorted({*keys_of_config(CONFIG_OF_COMMAND[root], tree), *_omitted_keywords(tree)})
    except (KeyError, UserError):  # a root of somebody else's; an interpolation that leads to a key without a value
        return list(dotted_keys(config))


def _omitted_keywords(tree: Any, prefix: str = "") -> Iterator[str]:
    """Yield the keys of keywords with a default that a `_target_` takes, whether or not the config has them."""
    for name, node in tree.items() if isinstance(tree, Mapping) else ():
        if name == "_target_" and isinstance(node, str):
            found = callable_keywords(node) or {}
            yield from (f"{prefix}{word}" for word, keyword in found.items() if not keyword.required)
        yield from _omitted_keywords(node, f"{prefix}{name}.")


def _is_declared_in(model: type[DeclaredKeys], tree: Mapping[str, Any], key: str) -> bool:
    """Return whether a key of this config is known, by its declaration."""
    path = tuple(key.split("."))
    found = field_at(model, tree, path)
    return found is not None and (found[0] == path or is_built_field(found[1]))


def _keys_of_declaration(model: type[DeclaredKeys], tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the keys of a declaration, as far as the config's branches go."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for annotation, _ in field_alternatives(field):
            value = tree.get(name)
            if (
                isinstance(annotation, type)
                and issubclass(annotation, DeclaredKeys)
                and fits_declaration(annotation, value)
            ):
                yield from _keys_of_declaration(annotation, value or {}, f"{prefix}{name}.")


def keys_of_same_group(model: type[DeclaredKeys], tree: Mapping[str, Any], path: Sequence[str | int]) -> str:
    """Return the keys of the same group, as a sentence for an error."""
    group = dotted(path[:-1])
    prefix = f"{group}." if group else ""
    ends = [key.removeprefix(prefix) for key in keys_of_config(model, tree) if key.startswith(prefix)]
    shown_keys = ", ".join(sorted({end for end in ends if "." not in end}))
    return f"{group} has: {shown_keys}." if group else f"There are: {shown_keys}."


def dotted_keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of one composed config, nodes and leaves, without resolving anything."""
    from omegaconf import OmegaConf

    tree = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node
    for name, value in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{name!s}"
        yield from dotted_keys(value, f"{prefix}{name!s}.")
