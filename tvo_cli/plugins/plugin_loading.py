"""Plugins: the files and modules that a user, TVO_PLUGINS or an entry point names, loaded, with what each registers.

Named by the key `plugins`, by the environment variable TVO_PLUGINS, or by a package's entry point `tvo.plugins`.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tvo_cli.errors import UserError
from tvo_cli.plugins import registry
from tvo_cli.plugins.code_sources import find_source, is_file_name
from tvo_cli.plugins.own_code_loading import load_module
from tvo_cli.plugins.own_code_references import source_of_reference
from tvo_cli.plugins.registered_choice_yamls import write_choices
from tvo_cli.plugins.registry import Registration, registrations_of

VARIABLE, ENTRY_POINTS = "TVO_PLUGINS", "tvo.plugins"
OURS = ("tvo_cli", "hydra_plugins", "torch", "transformers", "hydra", "omegaconf", "accelerate", "datasets", "numpy")
CONF = "conf"  # the folder of configs that a plugin package may ship


class NamedPlugin(NamedTuple):
    """A plugin as somebody names it, and who does: a config key, TVO_PLUGINS, an entry point."""

    name: str
    origin: str


class Plugin(NamedTuple):
    """A loaded plugin."""

    name: str
    module: ModuleType
    folders: tuple[Path, ...]  # of configs: what it has registered, what it ships


_loaded: dict[str, Plugin] = {}


def plugins_of_environment() -> list[NamedPlugin]:
    """Return the plugins that TVO_PLUGINS names, separated as paths are, or by commas."""
    names = re.split(rf"[,{re.escape(os.pathsep)}]", os.environ.get(VARIABLE, ""))
    return [NamedPlugin(name.strip(), VARIABLE) for name in names if name.strip()]


@cache
def plugins_of_entry_points() -> tuple[NamedPlugin, ...]:
    """Return the plugins of installed packages that have an entry point `tvo.plugins`."""
    found = metadata.entry_points(group=ENTRY_POINTS)
    return tuple(NamedPlugin(one.value, f"entry point of {one.dist.name if one.dist else one.name}") for one in found)


def load_plugin(key: str, name: str) -> Plugin:
    """Load a plugin, once as long as it does not change.

    Raises:
        UserError: it is no code of the user's, is not there, fails, or registers what is there already.
    """
    _check_is_own(key, name)
    others = set(registry.modules_with_registrations())
    module = load_module(key, name)
    before = _loaded.get(name)
    if before is not None and before.module is module:
        return before
    _check_registered_here(key, name, module, others)
    _loaded[name] = Plugin(name, module, (Path(), *_shipped_configs(key, name)))
    return write_registrations(key, name)


def write_registrations(key: str, name: str) -> Plugin:
    """Write what a loaded plugin has registered until now into its folder of configs.

    Raises:
        UserError: a choice is registered whose name another plugin has taken.
    """
    before = _loaded[name]
    found = registrations_of(_module_scope_of_plugin(name, before.module))
    _check_names_are_free(key, name, found)
    written = write_choices(_label(name, before.module), found, lambda one: _registered_target(name, one))
    _loaded[name] = before._replace(folders=(written, *before.folders[1:]))
    return _loaded[name]


def _check_names_are_free(key: str, name: str, found: list[Registration]) -> None:
    """Refuse a choice that another plugin has registered too: which of them counts would be chance."""
    for one in found:
        for other in _loaded.values():
            there = other.folders[0] / one.group / f"{one.name}.yaml"
            if other.module is not _loaded[name].module and there.is_file():
                problem = f"registers {one.group}={one.name}, as {other.name} does."
                raise UserError(key, name, problem, "Give one of them another name.")


def _check_is_own(key: str, name: str) -> None:
    """Refuse Python's own modules, this program's and those it is built of: whoever names them means something else."""
    top = source_of_reference(name)
    if ":" in name.replace(":\\", ""):
        raise UserError(key, name, "names a function.", f"A plugin is a file or module: {name.rpartition(':')[0]}")
    if not is_file_name(name) and (top in sys.stdlib_module_names or top in OURS):
        raise UserError(key, name, "is no code of yours.", "A plugin is a file (./mine.py) or package of your own.")


def _module_scope_of_plugin(name: str, module: ModuleType) -> str:
    """Return the name of the module that a plugin was loaded as, below which its own definitions are."""
    return module.__name__ if is_file_name(name) else source_of_reference(name)


def is_defined_in_plugin(name: str, module_name: str) -> bool:
    """Return whether a module is that of a loaded plugin, or of its package."""
    return f"{module_name}.".startswith(f"{_module_scope_of_plugin(name, _loaded[name].module)}.")


def _label(name: str, module: ModuleType) -> str:
    """The folder name of a loaded plugin's registered choices: its module's name without dots."""
    return _module_scope_of_plugin(name, module).replace(".", "_")


def _registered_target(name: str, one: Registration) -> str:
    """Return the `_target_` of what a loaded plugin registers: `./mine.py:weight`, `my_package.maths:weight`."""
    return f"{name if is_file_name(name) else one.made_of.__module__}:{one.made_of.__qualname__}"


def _check_registered_here(key: str, name: str, module: ModuleType, others: set[str]) -> None:
    """Refuse a registration by a file that a plugin imports and that is no plugin itself: it would be lost."""
    scope = _module_scope_of_plugin(name, module)
    for other in registry.modules_with_registrations():
        if other not in others and not f"{other}.".startswith(f"{scope}."):
            first = registrations_of(other)[0]
            problem = f"imports {other}, which registers {first.group}={first.name} and is no plugin itself."
            raise UserError(key, name, problem, f"Name it too, or register it in {Path(name).name}.")


def _shipped_configs(key: str, name: str) -> list[Path]:
    """Return the folder of configs beside the code of a plugin package."""
    source = None if is_file_name(name) else find_source(key, name)
    folder = source / CONF if source is not None and source.is_dir() else None
    return [folder] if folder is not None and folder.is_dir() else []
