"""Signatures, keywords and docstrings of the callables that `_target_`s name, read from source.

Importing the callable would import torch, which takes seconds; a mistyped keyword is told before that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tvo_cli.config.moved_targets import current_target
from tvo_cli.plugins.code_sources import find_source, is_file_name, module_of_reference
from tvo_cli.plugins.own_code_references import is_own_code_reference

PACKAGE = Path(__file__).resolve().parents[1]
Definition = ast.FunctionDef | ast.ClassDef


class Keyword(NamedTuple):
    """A keyword of a callable: its annotation as written, and whether it is required."""

    annotation: str
    required: bool


class FoundDefinition(NamedTuple):
    """The definition that a `_target_` names, and its module."""

    node: Definition
    module: str


def callable_keywords(target: str) -> Mapping[str, Keyword] | None:
    """Return the keywords that a callable takes; None where its source does not say."""
    return _keywords_of_ours(target) if target.startswith(f"{PACKAGE.name}.") else _keywords_of_any(target)


@cache
def _keywords_of_ours(target: str) -> Mapping[str, Keyword] | None:
    return _keywords_of_any(target)


def _keywords_of_any(target: str) -> Mapping[str, Keyword] | None:
    found = find_definition(target)
    if found is None:
        return None
    node, module = found
    return _class_keywords(node, module) if isinstance(node, ast.ClassDef) else _function_keywords(node)


def find_definition(target: str) -> FoundDefinition | None:
    """Return the function or class that a dotted name leads to, through the imports of packages."""
    module, name = split_target(target)
    tree = _module_tree(module)
    for node in tree.body if tree else ():
        if isinstance(node, Definition) and node.name == name:
            return FoundDefinition(node, module)
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find_definition(f"{node.module}.{alias.name}")
    return None


def split_target(target: str) -> tuple[str, str]:
    """Return a `_target_` as module or file, and name: `mine.py:weight` → (`mine.py`, `weight`)."""
    if is_own_code_reference(target):
        module = module_of_reference(target)
        return module, target[len(module) + 1 :]
    module, _, name = current_target(target).rpartition(".")
    return module, name


def public_names_of_module(module: str) -> list[str]:
    """Return the functions and classes that a module defines or re-exports."""
    tree = _module_tree(module)
    names = [node.name for node in tree.body if isinstance(node, Definition)] if tree else []
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(module):
            names += [alias.asname or alias.name for alias in node.names]
    return sorted(name for name in names if not name.startswith("_"))


def _module_tree(module: str) -> ast.Module | None:
    """Return the parsed source of a module or file; a syntax error is told when it is loaded."""
    path = _module_file(module)
    try:
        return _parsed(path, path.stat().st_mtime_ns) if path else None
    except SyntaxError:
        return None


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    """The syntax tree of a source file whose signatures are read; read again once the file has changed."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _module_file(module: str) -> Path | None:
    """Return the file of a module's source, without importing it or a package above it."""
    if is_file_name(module):
        return find_source("_target_", module)
    top, *rest = module.split(".")
    if top == PACKAGE.name:
        root = PACKAGE
    else:
        spec = find_spec(top) if top else None
        if spec is None:
            return None
        if not spec.submodule_search_locations:
            return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") and not rest else None
        root = Path(next(iter(spec.submodule_search_locations)))
    place = root.joinpath(*rest)
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _function_keywords(node: ast.FunctionDef) -> dict[str, Keyword]:
    """Return the keywords of a function."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    without = len(plain) - len(arguments.defaults)
    found = {one.arg: Keyword(_annotation_text(one.annotation), place < without) for place, one in enumerate(plain)}
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[one.arg] = Keyword(_annotation_text(one.annotation), default is None)
    found.pop("self", None)
    return found


def _class_keywords(node: ast.ClassDef, module: str) -> dict[str, Keyword] | None:
    """Return the keywords of a class: of its `__init__`, or a data class's fields, its parents' first."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return _function_keywords(one)
    found: dict[str, Keyword] = {}
    for parent in map(_annotation_text, reversed(node.bases)):
        above = find_definition(f"{module}:{parent}" if is_file_name(module) else f"{module}.{parent}")
        found |= (
            (_class_keywords(above.node, above.module) or {}) if above and isinstance(above.node, ast.ClassDef) else {}
        )
    return found | (dict(_dataclass_keywords(node)) if _is_dataclass_definition(node) else {})


def _is_dataclass_definition(node: ast.ClassDef) -> bool:
    return any("dataclass" in _annotation_text(decorator) for decorator in node.decorator_list)


def _dataclass_keywords(node: ast.ClassDef) -> Iterator[tuple[str, Keyword]]:
    """Yield the fields of a data class that its constructor takes."""
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            annotation, value = _annotation_text(one.annotation), _annotation_text(one.value)
            if "ClassVar" not in annotation and "init=False" not in value.replace(" ", ""):
                yield one.target.id, Keyword(annotation, not value)


def _annotation_text(node: ast.expr | None) -> str:
    """An annotation, default or decorator of a signature as it is written."""
    return "" if node is None else ast.unparse(node)


def target_docstring(target: str) -> str:
    """Return the docstring of what a `_target_` names, read from source; "" when there is none."""
    if target.startswith(f"{PACKAGE.name}."):
        return _docstring_of_ours(target)
    found = find_definition(target)
    return (ast.get_docstring(found.node) or "") if found else ""


@cache
def _docstring_of_ours(target: str) -> str:
    """The docstring of the program's own callable that a `_target_` names, read from source."""
    *rooms, wanted = target.split(".")[1:]
    place = PACKAGE.joinpath(*rooms)
    files: Sequence[Path] = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    found = (ast.get_docstring(node) for file in files for node in _documented_definitions(file) if node.name == wanted)
    return next((text for text in found if text), "")


def _documented_definitions(file: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """The functions and classes of a source file whose signatures and docstrings are read."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body if file.is_file() else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node


def type_of_mapping_values(annotation: str) -> str:
    """Return the type of a keyword's mapping: `Mapping[str, Force]` → `Force`; "" for anything else."""
    return annotation.removeprefix("Mapping[str, ").removesuffix("]") if annotation.startswith("Mapping[") else ""


def is_built_type(annotation: str) -> bool:
    """Return whether a keyword holds what is built: its type is a class of ours, and no plain value."""
    kinds = [kind for kind in annotation.split(" | ") if kind != "None"]
    return bool(kinds) and all(kind.isidentifier() and kind[0].isupper() and kind != "Any" for kind in kinds)
