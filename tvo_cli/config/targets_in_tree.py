"""The `_target_`s in the tree of a config: found with their keys, or replaced by other names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def targets_in_tree(tree: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every `_target_` of a tree with its dotted key, inside mappings, lists and `_args_` alike."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if name == "_target_":
                yield f"{path}_target_", value
            yield from targets_in_tree(value, f"{path}{name}.")
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from targets_in_tree(value, f"{path}{index}.")


def with_targets(tree: Any, rename: Callable[[str], str]) -> Any:
    """Return a copy of a plain tree in which every `_target_` has the name that `rename` gives it."""
    if isinstance(tree, Mapping):
        found = {name: with_targets(value, rename) for name, value in tree.items()}
        target = found.get("_target_")
        return found | ({"_target_": rename(target)} if isinstance(target, str) else {})
    if isinstance(tree, list):
        return [with_targets(value, rename) for value in tree]
    return tuple(with_targets(value, rename) for value in tree) if isinstance(tree, tuple) else tree
