"""What is said of the user's own yamls: which are read, which take the place of ours, which cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tvo_cli.config.choices_taken import choices_taken
from tvo_cli.config.search_path import (
    HERE,
    OWN,
    ROOTS,
    VARIABLE,
    ConfigFolder,
    conf_dir,
    config_folders,
    config_of_another_program,
    folders_of_user,
    groups_of_package,
    is_ignored_folder_of_ours,
    users_config_folders,
    yaml_of_choice,
)
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names

SHOWN = 4  # names in a line


@contextmanager
def explain_unreadable_users_yaml(path: Path) -> Iterator[None]:
    """Raise a UserError that names the file and the line where a yaml cannot be read.

    Raises:
        UserError: it is no YAML, no UTF-8, or no mapping.
    """
    import yaml
    from omegaconf.errors import OmegaConfBaseException

    place = os.path.relpath(path)
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError("config", f"{place}{where}", f"is no YAML: {error.problem}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError("config", place, f"cannot be read: {str(error).splitlines()[0]}.") from error
    except (OSError, OmegaConfBaseException) as error:
        raise UserError("config", place, f"cannot be read: {str(error).splitlines()[0]}.") from error


def check_users_yaml_is_mapping(path: Path, config: object) -> None:
    """Refuse a yaml that is a list or a lone value.

    Raises:
        UserError: it is; an empty one is a mapping without keys.
    """
    from omegaconf import OmegaConf

    if not OmegaConf.is_dict(config):
        raise UserError("config", os.path.relpath(path), "holds a list.", "A config is lines of `key: value`.")


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
        near = nearest_names(path.name, groups_of_package()) if _is_unknown_group(path) else ""
        if near.startswith("Nearest"):
            yield f"{place}/{path.name}/ is no group, so nothing in it is read. {near}"


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


def _is_unknown_group(path: Path) -> bool:
    return path.is_dir() and path.name not in groups_of_package() and any(path.glob("*.yaml"))


def _shown_yamls(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
