"""The defaults list of a yaml, read without composing: the entries, and which choice of which group each takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def choices_of_defaults(defaults: Any, group: str) -> list[tuple[str, str]]:
    """Return group and choice of each entry of a defaults list."""
    found: list[tuple[str, str]] = []
    for entry in defaults if isinstance(defaults, list) else ():
        if isinstance(entry, str) and entry != "_self_":
            found.append((group, entry))
        elif isinstance(entry, dict):
            for key, value in entry.items():
                place = str(key).removeprefix("override ").strip().partition("@")[0]
                names = value if isinstance(value, list) else [value]
                found += [(place.lstrip("/"), str(name)) for name in names if name is not None]
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a yaml whose defaults list is wanted, as a mapping; nothing of one that cannot be read."""
    import yaml

    try:
        found = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def entries_without_override(path: Path) -> Iterator[tuple[str, str]]:
    """Yield key and choice of the entries of a yaml's defaults list that have no `override` in front."""
    defaults = read_yaml(path).get("defaults")
    for entry in defaults if isinstance(defaults, list) else ():
        for key, name in entry.items() if isinstance(entry, dict) else ():
            if not str(key).startswith("override "):
                yield str(key), str(name)
