"""Errors of a user's defaults list that Hydra refuses: file, line, and the entry as it must be written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.config.choices import yaml_of_choice
from tvo_cli.config.choices_taken import choices_taken
from tvo_cli.config.defaults_list import choices_of_defaults, entries_without_override, read_yaml
from tvo_cli.config.groups import groups_of_package
from tvo_cli.config.search_path import folders_of_user
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names

INSIDE = "is looked for inside of its own group"


def check_defaults_list(path: Path) -> None:
    """Refuse a defaults list of a yaml of the user's that Hydra cannot read.

    Raises:
        UserError: it is no list, or an entry is neither a choice nor `group: choice`.
    """
    tree = read_yaml(path)
    defaults = tree.get("defaults", [])
    if not isinstance(defaults, list):
        raise _entry_error(path, "defaults", "is no list.", "A line for each: `- group: choice`.")
    for entry in defaults:
        _check_entry(path, entry)


def _check_entry(path: Path, entry: Any) -> None:
    """Refuse an entry of a user's defaults list that is neither a choice nor `group: choice`."""
    if isinstance(entry, str):
        return
    if not isinstance(entry, dict) or len(entry) != 1:
        raise _entry_error(path, "", f"{entry} is no entry.", "A line for each: `- choice` or `- group: choice`.")
    ((key, name),) = entry.items()
    if name is not None and not isinstance(name, str | list):
        group = str(key).removeprefix("override ").strip().lstrip("/")
        remedy = 'A word that YAML takes for a value stands in quotes: "off".'
        raise _entry_error(path, group, f"the choice of {group} is the value {name}, and no name.", remedy)


def explain_defaults_error(error: BaseException, overrides: Sequence[str], root: str) -> UserError | None:
    """Return what is wrong with the defaults list of a yaml of the user's; `None` where no such list is at fault."""
    said = str(error)
    if twice := re.match(r"Multiple values for ([\w/]+)\. ", said):
        return _choice_without_override(twice[1], overrides, root)
    refused = re.match(r"In '([\w-]+)/([^']+)': Could not (override|find) '([^']+)'", said)
    path = yaml_of_choice(folders_of_user(), refused[1], refused[2]) if refused else None
    if refused is None or path is None:
        return None
    group = refused[4].partition("@")[0]
    group = group if refused[3] == "override" else group.rpartition("/")[0]
    return _misplaced_entry(path, group)


def _choice_without_override(group: str, overrides: Sequence[str], root: str) -> UserError | None:
    """Explain a second choice of a group: the first was the command's own, or that of another yaml."""
    for path in _yamls_of_user(overrides, root):
        for name in (name for key, name in entries_without_override(path) if key == f"/{group}"):
            problem = f"chooses {group}={name} where another choice of {group} stands already."
            return _entry_error(path, group, problem, f"Write: override /{group}: {name}")
    return None


def _misplaced_entry(path: Path, group: str) -> UserError | None:
    """Explain an entry of a group without the slash in front, or of a group that there is not."""
    own, _, short = group.rpartition("/")
    entries = choices_of_defaults(read_yaml(path).get("defaults"), path.parent.name)
    name = next((name for found, name in entries if found in (group, short)), "…")
    if own == path.parent.name and short in groups_of_package():
        problem = f"{short}: {name} {INSIDE} ({own}/{short})."
        return _entry_error(path, short, problem, f"Write: override /{short}: {name}")
    if group in groups_of_package():
        return None
    problem = f"{short}: {name} is of no group."
    return _entry_error(path, short, problem, nearest_names(short, groups_of_package()))


def _yamls_of_user(overrides: Sequence[str], root: str) -> Iterator[Path]:
    """Yield the yamls of the user's that a command takes."""
    folders = folders_of_user()
    for group, name in choices_taken(overrides, root, folders):
        if path := yaml_of_choice(folders, group, name):
            yield path


def _entry_error(path: Path, group: str, problem: str, remedy: str) -> UserError:
    """Return the error for an entry of a defaults list, with its line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    entry = re.compile(rf"\b{re.escape(group)}\s*(@[\w.]*\s*)?:")
    at = next((f", line {n}" for n, line in enumerate(lines, 1) if entry.search(line.partition("#")[0])), "")
    return UserError("defaults", f"{os.path.relpath(path)}{at}", problem, remedy)
