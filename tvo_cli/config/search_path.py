"""The search path of configs: the folders that they are read from, the user's own, plugins', then conf/.

The user's are ./conf beside the working folder, --config-dir, and TVO_CONF. A name is looked up in this order. An empty
TVO_CONF leaves ./conf alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config.defaults_list import choices_of_defaults, read_yaml
from tvo_cli.config.groups import conf_dir, groups_of_package
from tvo_cli.errors import UserError

VARIABLE, OPTION, HERE = "TVO_CONF", "--config-dir", "conf"
OWN = "own"  # where `tvo new` writes from the folder of our own conf/
ROOTS = ("train", "eval", "sft", "variance")  # files of conf/ itself: nobody else's take their place
_given: list[str] = []  # by --config-dir, in this process


class ConfigFolder(NamedTuple):
    """A folder of configs, and whose it is."""

    path: Path
    origin: str  # ./conf, --config-dir, TVO_CONF, a plugin; tvo


def use_config_dir(folder: str | None) -> str | None:
    """Look into the folder of --config-dir too, in this process; `None` for none. The folder."""
    _given[:] = [] if folder is None else [folder]
    return folder


def given_config_dir() -> str | None:
    """Return the folder of --config-dir."""
    return _given[0] if _given else None


def users_config_folders() -> list[ConfigFolder]:
    """Return the user's folders and those of plugins in effect, in the order in which a name is looked up.

    Raises:
        UserError: --config-dir or TVO_CONF names no folder.
    """
    from tvo_cli.config.plugins_in_effect import folders_of_plugins_in_effect

    seen: dict[Path, ConfigFolder] = {}
    for one in (*folders_of_user(), *folders_of_plugins_in_effect()):
        seen.setdefault(one.path.resolve(), one)
    return list(seen.values())


def config_folders() -> list[ConfigFolder]:
    """Return all folders of configs, the package's last."""
    return [*users_config_folders(), ConfigFolder(conf_dir(), "tvo")]


def folders_of_user() -> list[ConfigFolder]:
    """Return the user's own folders: ./conf, --config-dir, TVO_CONF."""
    ours = conf_dir().resolve()
    return [one for one in (*_folder_here(), *_named_folders()) if one.path.resolve() != ours]


def _folder_here() -> Iterator[ConfigFolder]:
    """Yield ./conf where it is a folder of ours: another program's has none of the groups, or a config of its own."""
    here = None if ignores_folder_here() else _folder_with_our_groups()
    if here is not None and config_of_another_program() is None:
        yield ConfigFolder(here, f"./{HERE}")


def ignores_folder_here() -> bool:
    """Return whether ./conf is to be left alone: TVO_CONF is set and empty."""
    return os.environ.get(VARIABLE) == ""


def _folder_with_our_groups() -> Path | None:
    here = Path.cwd() / HERE
    ours = here.is_dir() and any(any((here / group).glob("*.yaml")) for group in groups_of_package())
    return here if ours else None


def config_of_another_program() -> Path | None:
    """Return the yaml for which ./conf is not on the search path: another program of Hydra starts from it."""
    here = _folder_with_our_groups()
    found = sorted(here.glob("*.yaml")) if here is not None and here.resolve() != conf_dir().resolve() else []
    return next((path for path in found if _starts_another_program(path)), None)


def is_ignored_folder_of_ours() -> bool:
    """Return whether ./conf would be on the search path if TVO_CONF were not empty."""
    return ignores_folder_here() and _folder_with_our_groups() is not None and config_of_another_program() is None


def _starts_another_program(path: Path) -> bool:
    """Return whether a yaml keeps ./conf off the search path: its defaults have a name or groups not ours."""
    defaults = read_yaml(path).get("defaults")
    known = {*groups_of_package(), ""}
    named = (group for group, _ in choices_of_defaults(defaults, "") if not group.startswith("hydra/"))
    return isinstance(defaults, list) and (path.stem not in ROOTS or any(group not in known for group in named))


def _named_folders() -> Iterator[ConfigFolder]:
    """Yield the folders that --config-dir and TVO_CONF name; the variable may name several, as PATH does."""
    several = [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    for key, name in [*((OPTION, name) for name in _given), *((VARIABLE, name) for name in several)]:
        path = Path(name).expanduser()
        if not path.is_dir():
            raise UserError(key, name, "there is no such folder.", f"A path is read from {Path.cwd()}.")
        yield ConfigFolder(path.absolute(), key)
