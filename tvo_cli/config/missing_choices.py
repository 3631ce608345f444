"""A choice that is not there: where a yaml of the user's asks for it, and where one of that name lies instead."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tvo_cli.config.choices import yaml_of_choice
from tvo_cli.config.choices_taken import choices_taken
from tvo_cli.config.groups import conf_dir, groups_of_package
from tvo_cli.config.plugins_in_effect import all_plugins, plugins_of_words
from tvo_cli.config.search_path import HERE, OWN, VARIABLE, config_folders, folders_of_user


def remedy_for_yaml_in_place_of_ours(group: str, words: Sequence[str]) -> str:
    """Return what to do where a chosen yaml of the user's has the name of one of ours and lacks what ours has."""
    folders = folders_of_user()
    for chosen, name in choices_taken(words, "train", config_folders()) if folders else ():
        path = yaml_of_choice(folders, chosen, name)
        if chosen == group and path is not None and (conf_dir() / group / f"{name}.yaml").is_file():
            ignored = f", or {VARIABLE}= in front of the command" if path.is_relative_to(Path.cwd() / HERE) else ""
            return (
                f"{os.path.relpath(path)} takes the place of tvo's own {group}={name}. To have ours: rename it, "
                f"start from another folder{ignored}."
            )
    return ""


def place_of_default(problem: str, missing: str) -> str:
    """Return where a user's yaml starts from what is not there: ` (conf/algorithm/mine.yaml, line 3)`; else nothing."""
    found = re.match(r"In '([\w.-]+)/([^']+)'", problem)
    path = yaml_of_choice(folders_of_user(), *found.groups()) if found else None
    if path is None:
        return ""
    name = missing.rpartition("/")[2]
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    at = next((f", line {n}" for n, line in enumerate(lines, 1) if name in line.partition("#")[0]), "")
    return f" ({os.path.relpath(path)}{at})"


def misplaced_choice(group: str, name: str) -> str:
    """Return a remedy where the yaml lies in a folder with another name than the group's: conf/algorithms/mine.yaml."""
    folders = [Path(HERE), *(one.path for one in folders_of_user())]
    places = [path for folder in folders for path in folder.glob(f"*/{name}.yaml") if path.parent.name != group]
    near = [path for path in places if group in path.parent.name or path.parent.name in group]
    return f"{os.path.relpath(near[0])} is in no group: its folder must be called {group}." if near else ""


def clause_on_no_folder_here(group: str) -> str:
    """Return where a choice of the user's own would be read from, where this is not the folder that has it."""
    missing = group in groups_of_package() and not Path(HERE).is_dir()
    return f"; yours are read from ./{HERE} of the working folder, and there is none in {Path.cwd()}" if missing else ""


def clause_on_folder_of_new(group: str, name: str) -> str:
    """Return that a choice lies where `tvo new` writes it in a clone, in own/, and that the command is typed there."""
    found = Path(OWN, HERE, group, f"{name}.yaml")
    return f"; {found} is read from inside {OWN}/ (cd {OWN})" if found.is_file() else ""


def clause_on_plugins(group: str, overrides: Sequence[str]) -> str:
    """Say where a choice of own code would come from: which plugins do not register it, or how one is named."""
    named = dict.fromkeys([*plugins_of_words(overrides), *(one.name for one in all_plugins())])
    if named:
        return f". The plugins ({', '.join(named)}) register no such {group}: tvo list plugins"
    return ". One of your own code needs its plugin named: plugins=[FILE.py]"
