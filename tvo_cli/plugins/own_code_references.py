"""The references to own code in a composed config: found by reading its tree, without loading anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli.plugins.code_sources import is_file_name, module_of_reference, path_of_file_name
from tvo_cli.plugins.scorer_reference import is_own_scorer

PLUGINS = "plugins"
FUNCTION = re.compile(r"reward\.functions\.\d+\.call")  # keys whose value names a function of the user's
SCORER = re.compile(r"(reward|(evaluation\.\w+\.[^.]+\.)?dataset(\.sources\.[^.]+)?)\.scorer")  # or may name one


class Reference(NamedTuple):
    """A place of a config that names own code, and the name: a module, or either with `:function` after it."""

    key: str
    name: str

    @property
    def source(self) -> str:
        """What is fingerprinted: the file as it is written, or the top-level package."""
        return source_of_reference(self.name)


def source_of_reference(name: str) -> str:
    """Return the file of a reference as it is written, or its top-level package, which counts whole."""
    module = module_of_reference(name)
    return module if is_file_name(module) else module.partition(".")[0]


def own_code_references(tree: Mapping[str, Any]) -> Iterator[Reference]:
    """Yield every reference of a resolved config to own code: plugins, called functions, and `_target_`s into either.

    A `_target_` is own code where it is written with a colon (`mine.py:weight`), or leads into a named plugin.
    """
    named = referenced_plugins(tree)
    for index, name in enumerate(named):
        yield Reference(f"{PLUGINS}.{index}", name)
    for key, value in _texts_of_tree({name: node for name, node in tree.items() if name != PLUGINS}):
        if _names_own_code(key, value, named):
            yield Reference(key, value)


def scorers_of_config(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every scorer of a config with its key: of the run, of data sets, of suites; own code and ours."""
    return ((key, value) for key, value in _texts_of_tree(tree) if SCORER.fullmatch(key))


def referenced_plugins(tree: Mapping[str, Any]) -> list[str]:
    """Return the plugins that a config names."""
    named = tree.get(PLUGINS) or ()
    return [named] if isinstance(named, str) else [str(name) for name in named]


def _names_own_code(key: str, value: str, plugins: Sequence[str]) -> bool:
    """Whether a text of a composed config is a reference to own code: by its key, or its spelling."""
    last = key.rpartition(".")[2]
    if SCORER.fullmatch(key):
        return is_own_scorer(value)
    if FUNCTION.fullmatch(key):
        return ":" in value
    return last == "_target_" and (
        is_own_code_reference(value) or any(target_leads_into_plugin(value, one) for one in plugins)
    )


def is_own_code_reference(target: str) -> bool:
    """Return whether a `_target_` is written as own code is: `mine.py:weight`, `my_package.maths:weight`."""
    return ":" in target


def target_leads_into_plugin(target: str, plugin: str) -> bool:
    """Return whether a config's `_target_` is a reference into a plugin, with a colon or, of a package, with dots."""
    if is_own_code_reference(target):
        return _place_of_source(target) == _place_of_source(plugin)
    return not is_file_name(plugin) and target.partition(".")[0] == source_of_reference(plugin)


def _place_of_source(name: str) -> str:
    """Return what two references to own code share that lead into one file or package: its full path, its name."""
    source = source_of_reference(name)
    plain = is_file_name(source) and ".." not in Path(source).parts
    return str(path_of_file_name(source).resolve()) if plain else source


def _texts_of_tree(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a config with its dotted key: any of them may be a reference to own code."""
    if isinstance(tree, str):
        yield path.removesuffix("."), tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _texts_of_tree(value, f"{path}{name}.")
    elif isinstance(tree, Sequence):
        for index, value in enumerate(tree):
            yield from _texts_of_tree(value, f"{path}{index}.")
