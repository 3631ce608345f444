"""The plugins of a command: named by its words, by the yamls it chooses, by TVO_PLUGINS, or by an installed package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tvo_cli.config.choices_taken import choices_taken
from tvo_cli.config.groups import conf_dir
from tvo_cli.config.overrides import in_hydra_quotes, split_override
from tvo_cli.config.search_path import ConfigFolder, folders_of_user
from tvo_cli.errors import UserError
from tvo_cli.plugins.plugin_loading import (
    NamedPlugin,
    load_plugin,
    plugins_of_entry_points,
    plugins_of_environment,
)

KEY = "plugins"
_in_effect: list[NamedPlugin] = []  # of the commands that are being composed in this process, outermost first


def named_plugins_in_effect() -> list[NamedPlugin]:
    """Return the plugins in effect that somebody has named, each once."""
    found: dict[str, NamedPlugin] = {}
    for one in (*_in_effect, *plugins_of_environment()):
        found.setdefault(one.name, one)
    return list(found.values())


def all_plugins() -> list[NamedPlugin]:
    """Return the plugins in effect, those of installed packages last."""
    named = named_plugins_in_effect()
    known = {one.name for one in named}
    return [*named, *(one for one in plugins_of_entry_points() if one.name not in known)]


def folders_of_plugins_in_effect() -> list[ConfigFolder]:
    """Return the folders of configs of all plugins in effect; they are loaded for it."""
    loaded = [(one, load_plugin(KEY if one.origin == KEY else one.origin, one.name)) for one in all_plugins()]
    for one, plugin in loaded:
        _check_names_are_not_ours(one, plugin.folders[0])
    return [ConfigFolder(folder, f"plugin {one.name}") for one, plugin in loaded for folder in plugin.folders]


def _check_names_are_not_ours(one: NamedPlugin, registered: Path) -> None:
    """Refuse a registration under the name of a choice of ours; a yaml of the user's may take its place."""
    for path in sorted(registered.glob("*/*.yaml")):
        if (conf_dir() / path.parent.name / path.name).is_file():
            problem = f"registers {path.parent.name}={path.stem}, which there is already."
            raise UserError(one.origin, one.name, problem, "Give it another name.")


@contextmanager
def plugins_in_effect(words: Sequence[str], root: str) -> Iterator[list[str]]:
    """Have the plugins of a command in effect: those its words name, and those of the yamls that it chooses; these."""
    before = list(_in_effect)
    own = [NamedPlugin(name, KEY) for name in plugins_of_words(words)] + _plugins_of_choices(words, root)
    _in_effect.extend(own)
    try:
        yield [one.name for one in own]
    finally:
        _in_effect[:] = before


@contextmanager
def recorded_plugins_in_effect(names: Sequence[str]) -> Iterator[None]:
    """Have the plugins of a recorded config in effect."""
    with plugins_in_effect([f"{KEY}=[{','.join(map(in_hydra_quotes, names))}]"] if names else [], ""):
        yield


def plugins_of_words(words: Sequence[str]) -> Iterator[str]:
    """Yield what `plugins=[…]` of a command line names, all of a sweep's."""
    for word in (word for word in words if split_override(word)[0] == KEY and "=" in word):
        yield from (name for value in _values_of_override(word) for name in _plugin_names_of_value(value))


def _values_of_override(word: str) -> list[Any]:
    """Return the value of an override, or the several of a sweep; none of one that whoever composes refuses."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        found = OverridesParser.create().parse_override(word)
    except OverrideParseException:
        return []
    return list(found.sweep_iterator()) if found.is_sweep_override() else [found.value()]


def _plugin_names_of_value(value: Any) -> Iterator[str]:
    """Yield the names of a value of `plugins`: a list, or one name."""
    if isinstance(value, str):
        value = [one.strip(" '\"") for one in value.strip("[]").split(",")]
    for name in value if isinstance(value, list | tuple) else ():
        if str(name):
            yield str(name)


def _plugins_of_choices(words: Sequence[str], root: str) -> list[NamedPlugin]:
    """Return the plugins that the chosen yamls of the user name, and the yamls that those start from."""
    trees = choices_taken(words, root, folders_of_user()).values()
    found = {str(name): NamedPlugin(str(name), KEY) for tree in trees for name in _plugin_names_of_value(tree.get(KEY))}
    return list(found.values())
