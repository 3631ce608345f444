"""Where a key of a config was written: on the command line, or in a file of the user's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli.config import describing
from tvo_cli.config.overrides import split_override


def where(key: str, overrides: Sequence[str], folders: Sequence[Path]) -> str:
    """` (conf/reward/mine.yaml, line 3)`; nothing for a key of the command line, which is seen as it is."""
    if any(key == said or key.startswith(f"{said}.") for said in _said(overrides)):
        return ""
    return next((f" ({os.path.relpath(path)}, line {line})" for path, line in _lines(key, folders)), "")


def _said(overrides: Sequence[str]) -> Iterator[str]:
    """The keys of the command line that are no choice of a group."""
    groups = describing.groups()
    return (said for said, _ in map(split_override, overrides) if said not in groups)


def _lines(key: str, folders: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """Lines that set a key of this last name, in the files of a group that its path names first."""
    *above, last = key.split(".")
    pattern = re.compile(rf"(?<![\w.-])['\"]?{re.escape(last)}['\"]?\s*:")
    files = sorted({path for folder in folders if folder.is_dir() for path in folder.rglob("*.yaml")})
    for path in sorted(files, key=lambda path: path.parent.name not in above):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line.split("#")[0]):
                yield path, number


def folders(sources: Sequence[object]) -> list[Path]:
    """The folders of a search path that are not the product's: hydra.runtime.config_sources."""
    places = [str(getattr(one, "path", "")) for one in sources if getattr(one, "schema", "file") == "file"]
    ours = describing.conf_dir().resolve()
    return [Path(place) for place in places if place and Path(place).resolve() != ours]
