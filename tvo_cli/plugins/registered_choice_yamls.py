"""Registered choices as yaml files, in a folder that joins the search path of configs and goes with the process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tvo_cli.plugins.registry import Registration


@cache
def _folder_of_process() -> Path:
    """The folder of the registered choices' yamls, removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="tvo-plugins-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def write_choices(label: str, found: list[Registration], target: Callable[[Registration], str]) -> Path:
    """Write the yaml of each registration below a folder of its plugin; the folder."""
    folder = _folder_of_process() / label
    shutil.rmtree(folder, ignore_errors=True)
    for one in found:
        (folder / one.group).mkdir(parents=True, exist_ok=True)
        (folder / one.group / f"{one.name}.yaml").write_text(choice_text(one, target(one)), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def choice_text(one: Registration, target: str) -> str:
    """Return the yaml of a registered choice."""
    import yaml

    node: dict[str, Any] = {"_target_": target} | ({"_partial_": True} if one.partial else {}) | one.settings
    tree: dict[str, Any] = _with_node_at_path(dict(one.changes), one.path, node)
    head = f"# @package {one.package}\n" if one.package else ""
    emptied = (
        f"_no_{one.path[-1]}, " if one.group == "algorithm" else ""
    )  # the keys of the piece that it takes the place of
    defaults = f"defaults: [{one.start}, {emptied}_self_]\n" if one.start else ""
    return f"{head}# {one.about}\n{defaults}{yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)}"


def _with_node_at_path(tree: dict[str, Any], path: tuple[str, ...], node: dict[str, Any]) -> dict[str, Any]:
    """Return a registered choice's tree with its node at a path; what stands there already is kept beside it."""
    first, *rest = path
    below = dict(tree.get(first) or {})
    return tree | {first: _with_node_at_path(below, tuple(rest), node) if rest else node | below}


def merged_choice(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is registered and its changes as one tree; the second one's values count."""
    found = dict(one)
    for name, value in other.items():
        inside = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = merged_choice(found[name], value) if inside else value
    return found
