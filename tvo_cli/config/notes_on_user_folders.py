"""What a command says of the user's folders of configs: what it takes of them, and what takes the place of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli.config.choices_taken import choices_taken
from tvo_cli.config.groups import conf_dir, groups_of_package
from tvo_cli.config.search_path import (
    HERE,
    ROOTS,
    VARIABLE,
    ConfigFolder,
    config_folders,
    config_of_another_program,
    folders_of_user,
    is_ignored_folder_of_ours,
    users_config_folders,
)
from tvo_cli.nearest_names import nearest_names

SHOWN = 4  # names in a line


def notes_on_users_configs(words: Sequence[str] = (), root: str = "") -> list[str]:
    """Return what a command says of the user's folders: what it takes from ./conf, and what takes our place.

    Without a `root`, the command whose words these are: what the folders offer.
    """
    found = users_config_folders()
    taken = set(choices_taken(words, root, config_folders())) if root and found else None
    return [
        *_note_on_another_program(),
        *(note for one in found if not one.origin.startswith("plugin ") for note in _notes_on_yaml_folder(one, taken)),
    ]


def _note_on_another_program() -> Iterator[str]:
    other = config_of_another_program()
    if other is not None and Path.cwd() / HERE not in [one.path for one in folders_of_user()]:
        yield f"{HERE}/ is another program's ({other.name} starts it), so it is left alone. To read it: TVO_CONF={HERE}"
    if is_ignored_folder_of_ours():
        yield f"{HERE}/ is left alone: {VARIABLE} is set and empty"


def _notes_on_yaml_folder(folder: ConfigFolder, taken: set[tuple[str, str]] | None) -> Iterator[str]:
    place = os.path.relpath(folder.path)
    there = [
        (group, path.stem) for group in groups_of_package() for path in sorted((folder.path / group).glob("*.yaml"))
    ]
    choices = [choice for choice in there if taken is None or choice in taken]
    ours = [f"{group}={name}" for group, name in choices if (conf_dir() / group / f"{name}.yaml").is_file()]
    new = [f"{group}={name}" for group, name in choices if f"{group}={name}" not in ours]
    if folder.origin == "./conf" and taken is not None and not choices:
        yield f"{place}/ offers {_shown_yamls([f'{group}={name}' for group, name in there])}: this command takes none"
    if folder.origin == "./conf" and new:
        yield f"{place}/ {'offers' if taken is None else 'is read:'} {_shown_yamls(new)}"
    if ours:
        yield f"{place}/ takes the place of tvo's own {_shown_yamls(ours)}"
    roots = [f"{name}.yaml" for name in ROOTS if (folder.path / f"{name}.yaml").is_file()]
    if roots:
        yield f"{place}/{', '.join(roots)} is not read: settings of your own go to {place}/experiment/NAME.yaml"
    for path in sorted(folder.path.iterdir()):
        near = nearest_names(path.name, groups_of_package()) if _is_folder_of_no_group(path) else ""
        if near.startswith("Nearest"):
            yield f"{place}/{path.name}/ is no group, so nothing in it is read. {near}"


def _is_folder_of_no_group(path: Path) -> bool:
    """Return whether yamls lie in a folder of the user's that has no group's name, so that nobody reads them."""
    return path.is_dir() and path.name not in groups_of_package() and any(path.glob("*.yaml"))


def _shown_yamls(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
