"""The location of a key: on the command line, or a line of a user's yaml."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config.groups import conf_dir, config_groups
from tvo_cli.config.overrides import split_override


class ConfigSources(NamedTuple):
    """The overrides and folders that a config was composed from, to locate a wrong key."""

    overrides: Sequence[str] = ()
    folders: Sequence[Path] = ()  # of yamls, besides our own


NO_SOURCES = ConfigSources()


def key_location(key: str, sources: ConfigSources) -> str:
    """Return where a key is set: ` (conf/reward/mine.yaml, line 3)`; "" for a key of the command line."""
    if any(key == said or key.startswith(f"{said}.") for said in _keys_on_command_line(sources.overrides)):
        return ""
    return next(
        (f" ({os.path.relpath(path)}, line {line})" for path, line in _yaml_lines_that_set(key, sources.folders)), ""
    )


def _keys_on_command_line(overrides: Sequence[str]) -> Iterator[str]:
    """Yield the keys that are located on the command line, without choices of groups."""
    groups = config_groups()
    return (said for said, _ in map(split_override, overrides) if said not in groups)


def _yaml_lines_that_set(key: str, folders: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """Yield the yaml lines that set a key, those of its own group first."""
    *above, last = key.split(".")
    pattern = re.compile(rf"(?<![\w.-])['\"]?{re.escape(last)}['\"]?\s*:")
    files = sorted({path for folder in folders if folder.is_dir() for path in folder.rglob("*.yaml")})
    for path in sorted(files, key=lambda path: path.parent.name not in above):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line.split("#")[0]):
                yield path, number


def users_folders_to_locate_keys(sources: Sequence[object]) -> list[Path]:
    """Return the user's own folders of Hydra's search path."""
    places = [str(getattr(one, "path", "")) for one in sources if getattr(one, "schema", "file") in ("file", "own")]
    ours = conf_dir().resolve()
    return [Path(place) for place in places if place and Path(place).resolve() != ours]
