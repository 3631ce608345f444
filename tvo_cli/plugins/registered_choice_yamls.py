"""Registered choices as yaml files, in a folder that joins the search path of configs and goes with the process."""

from __future__ import annotations

import atexit
import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
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

    partial = {"_partial_": True} if one.partial else {}
    node: dict[str, Any] = {"_target_": target, **partial, **dict(_yaml_settings_of(one.made_of))}
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


def _yaml_settings_of(made_of: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys beside `_target_`: keyword-only parameters of a function, all of a class; `???`: no default."""
    takes_all = inspect.isclass(made_of)
    for name, one in inspect.signature(made_of).parameters.items():
        if one.kind is one.KEYWORD_ONLY or (takes_all and one.kind is one.POSITIONAL_OR_KEYWORD):
            yield name, "???" if one.default is one.empty else _yaml_default(made_of, name, one.default)


def _yaml_default(made_of: Callable[..., Any], name: str, value: Any) -> Any:
    """Return the default of a registered parameter as a yaml holds it.

    Raises:
        UserError: it is no plain value.
    """
    if isinstance(value, tuple):
        return [_yaml_default(made_of, name, one) for one in value]
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    raise UserError(
        f"{made_of.__name__}.{name}", repr(value), "is no number, text or list, so no yaml holds it.", "Take None."
    )
