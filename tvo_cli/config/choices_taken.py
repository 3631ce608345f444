"""The choices that a command takes: by its own defaults, by its words, and by the yamls that these start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvo_cli.config.choices import yaml_of_choice
from tvo_cli.config.defaults_list import choices_of_defaults, read_yaml
from tvo_cli.config.groups import conf_dir
from tvo_cli.config.overrides import split_override
from tvo_cli.config.search_path import ConfigFolder


def choices_taken(
    words: Sequence[str], root: str, folders: Sequence[ConfigFolder]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return group and name of each choice of a command, and of those that its yamls start from, with their yamls."""
    if not folders:
        return {}
    chosen = {**_choices_of_root(root), **choices_of_words(words)}
    waiting = [(group, name) for group, names in chosen.items() for name in names]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    while waiting:
        choice = waiting.pop(0)
        if choice not in found:
            path = yaml_of_choice(folders, *choice)
            found[choice] = read_yaml(path) if path else {}
            waiting += choices_of_defaults(found[choice].get("defaults"), choice[0])
    return found


def _choices_of_root(root: str) -> dict[str, list[str]]:
    """Return the choices in the defaults of the command's own yaml."""
    path = conf_dir() / f"{root}.yaml"
    found = choices_of_defaults(read_yaml(path).get("defaults"), "") if root and path.is_file() else []
    return {group: [name] for group, name in found}


def choices_of_words(words: Sequence[str]) -> dict[str, list[str]]:
    """Return group and choices of the words `group=choice`, all of a sweep's."""
    found: dict[str, list[str]] = {}
    for word in words:
        key, value = split_override(word)
        if key and "." not in key and value:
            found.setdefault(key, []).extend(one.strip(" '\"") for one in value.strip("[]").split(","))
    return found
