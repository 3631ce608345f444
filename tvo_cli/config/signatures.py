"""The keywords of a callable that a `_target_` names, read from its source.

Importing the callable would import torch, which takes seconds; a mistyped keyword is told before that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config.moved_targets import current_target

PACKAGE = Path(__file__).resolve().parents[1]
Definition = ast.FunctionDef | ast.ClassDef


class Keyword(NamedTuple):
    """A parameter: its annotation as written, and whether a call without it fails."""

    annotation: str
    required: bool


class Found(NamedTuple):
    """A definition and the module whose names it uses."""

    node: Definition
    module: str


@cache
def keywords(target: str) -> Mapping[str, Keyword] | None:
    """What the callable takes by name; None where its source does not say."""
    found = definition(target)
    if found is None:
        return None
    node, module = found
    return _of_class(node, module) if isinstance(node, ast.ClassDef) else _of_function(node)


def definition(target: str) -> Found | None:
    """The function or class that a dotted name leads to, through the imports of packages."""
    module, _, name = current_target(target).rpartition(".")
    tree = _tree(module)
    for node in tree.body if tree else ():
        if isinstance(node, Definition) and node.name == name:
            return Found(node, module)
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return definition(f"{node.module}.{alias.name}")
    return None


def public_names(module: str) -> list[str]:
    """The functions and classes that a module defines or passes on."""
    tree = _tree(module)
    names = [node.name for node in tree.body if isinstance(node, Definition)] if tree else []
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(module):
            names += [alias.asname or alias.name for alias in node.names]
    return sorted(name for name in names if not name.startswith("_"))


@cache
def _tree(module: str) -> ast.Module | None:
    path = _file(module)
    return ast.parse(path.read_text(encoding="utf-8")) if path else None


def _file(module: str) -> Path | None:
    """Where a module's source is, without importing it or a package above it."""
    top, *rest = module.split(".")
    if top == PACKAGE.name:
        root = PACKAGE
    else:
        spec = find_spec(top) if top else None
        if spec is None or not spec.submodule_search_locations:
            return None
        root = Path(next(iter(spec.submodule_search_locations)))
    place = root.joinpath(*rest)
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _of_function(node: ast.FunctionDef) -> dict[str, Keyword]:
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    without = len(plain) - len(arguments.defaults)
    found = {one.arg: Keyword(_text(one.annotation), place < without) for place, one in enumerate(plain)}
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[one.arg] = Keyword(_text(one.annotation), default is None)
    found.pop("self", None)
    return found


def _of_class(node: ast.ClassDef, module: str) -> dict[str, Keyword] | None:
    """The keywords of `__init__`, or a data class's fields, its parents' first."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return _of_function(one)
    found: dict[str, Keyword] = {}
    for parent in map(_text, reversed(node.bases)):
        above = definition(f"{module}.{parent}")
        found |= (_of_class(above.node, above.module) or {}) if above and isinstance(above.node, ast.ClassDef) else {}
    return found | (dict(_fields(node)) if _is_dataclass(node) else {})


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in _text(decorator) for decorator in node.decorator_list)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, Keyword]]:
    """Annotated names of a data class that its constructor takes."""
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            annotation, value = _text(one.annotation), _text(one.value)
            if "ClassVar" not in annotation and "init=False" not in value.replace(" ", ""):
                yield one.target.id, Keyword(annotation, not value)


def _text(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)
