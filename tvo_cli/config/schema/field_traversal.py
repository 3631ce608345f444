"""Traversal of a declaration: every declared field, and the fields of a config whose type is marked."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from tvo_cli.config.schema.value_types import BUILT, DeclaredKeys, Mark

Path = tuple[str | int, ...]


class MarkedField(NamedTuple):
    """A node or value of a config whose declared type has a mark."""

    path: Path
    mark: Mark
    value: Any


class FieldEntry(NamedTuple):
    """A declared field that a config has, with its value."""

    path: Path
    field: FieldInfo
    value: Any


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as a dotted key: ("a", "b", 0) → `a.b.0`."""
    return ".".join(map(str, path))


def type_alternatives(annotation: Any, marks: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the alternatives of a type, each with its metadata."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from type_alternatives(inner, (*marks, *more))
    elif get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from type_alternatives(one, marks)
    else:
        yield annotation, marks


def field_alternatives(field: FieldInfo) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the alternatives of a field's type."""
    return type_alternatives(field.annotation, tuple(field.metadata))


def declared_fields(model: type[DeclaredKeys], prefix: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Yield every field of a declaration with its path; `*` stands for the names of a map."""
    for name, field in model.model_fields.items():
        yield (*prefix, name), field
        for annotation, _ in field_alternatives(field):
            yield from _fields_below(annotation, (*prefix, name))


def _fields_below(annotation: Any, path: Path) -> Iterator[tuple[Path, FieldInfo]]:
    if _is_declaration(annotation):
        yield from declared_fields(annotation, path)
    elif get_origin(annotation) is dict:
        for inner, _ in type_alternatives(get_args(annotation)[1]):
            yield from _fields_below(inner, (*path, "*"))


def field_entries(model: type[DeclaredKeys], tree: Mapping[str, Any], prefix: Path = ()) -> Iterator[FieldEntry]:
    """Yield every declared field that a config has, with its value."""
    for name, field in model.model_fields.items():
        if name in tree:
            yield FieldEntry((*prefix, name), field, tree[name])
            for annotation, _ in field_alternatives(field):
                yield from _field_entries_below(annotation, tree[name], (*prefix, name))


def _field_entries_below(annotation: Any, value: Any, path: Path) -> Iterator[FieldEntry]:
    if _is_declaration(annotation) and fits_declaration(annotation, value):
        yield from field_entries(annotation, value, path)
    elif get_origin(annotation) is dict and isinstance(value, Mapping):
        for name, one in value.items():
            for inner, _ in type_alternatives(get_args(annotation)[1]):
                yield from _field_entries_below(inner, one, (*path, str(name)))


def marked_fields(model: type[DeclaredKeys], tree: Mapping[str, Any], prefix: Path = ()) -> Iterator[MarkedField]:
    """Yield every marked field of a config."""
    for name, field in model.model_fields.items():
        if name in tree:
            for annotation, marks in field_alternatives(field):
                yield from _marked_fields_below(annotation, marks, tree[name], (*prefix, name))


def _marked_fields_below(annotation: Any, marks: Sequence[Any], value: Any, path: Path) -> Iterator[MarkedField]:
    own = next((mark for mark in marks if isinstance(mark, Mark)), None)
    if own is not None and isinstance(value, get_origin(annotation) or annotation):
        yield MarkedField(path, own, value)
    elif _is_declaration(annotation) and fits_declaration(annotation, value):
        yield from marked_fields(annotation, value, path)
    elif get_origin(annotation) is dict and isinstance(value, Mapping):
        for name, one in value.items():
            yield from _marked_fields_inside(get_args(annotation)[1], one, (*path, str(name)))
    elif get_origin(annotation) is list and isinstance(value, list):
        for index, one in enumerate(value):
            yield from _marked_fields_inside(get_args(annotation)[0], one, (*path, index))


def _marked_fields_inside(annotation: Any, value: Any, path: Path) -> Iterator[MarkedField]:
    for inner, marks in type_alternatives(annotation):
        yield from _marked_fields_below(inner, marks, value, path)


def fits_declaration(model: type[DeclaredKeys], value: Any) -> bool:
    """Return whether a mapping is of this declaration: of several it is the one of its `kind`."""
    if not isinstance(value, Mapping):
        return False
    kind = model.model_fields.get("kind")
    return kind is None or get_origin(kind.annotation) is not Literal or value.get("kind") in get_args(kind.annotation)


def field_at(model: type[DeclaredKeys], tree: Any, path: Path) -> tuple[Path, FieldInfo] | None:
    """Return the declared field at a path, or the last one on the way to it."""
    field = model.model_fields.get(str(path[0])) if path else None
    if field is None:
        return None
    value = tree.get(path[0]) if isinstance(tree, Mapping) else None
    deeper = _field_below(field, value, path[1:])
    return (path[:1], field) if deeper is None else ((*path[:1], *deeper[0]), deeper[1])


def _field_below(field: FieldInfo, value: Any, path: Path) -> tuple[Path, FieldInfo] | None:
    for annotation, _ in field_alternatives(field):
        skipped: Path = ()
        if get_origin(annotation) is dict and len(path) > 1:
            annotation = next((one for one, _ in type_alternatives(get_args(annotation)[1])), None)
            skipped, path = path[:1], path[1:]
            value = value.get(skipped[0]) if isinstance(value, Mapping) else None
        if _is_declaration(annotation) and fits_declaration(annotation, value):
            found = field_at(annotation, value, path)
            if found is not None:
                return (*skipped, *found[0]), found[1]
    return None


def is_built_field(field: FieldInfo) -> bool:
    """Return whether a field, or every name of a map, holds what the program builds."""
    return any(BUILT in (*marks, *_marks_of_map_values(annotation)) for annotation, marks in field_alternatives(field))


def _marks_of_map_values(annotation: Any) -> list[Any]:
    inside = type_alternatives(get_args(annotation)[1]) if get_origin(annotation) is dict else ()
    return [mark for _, marks in inside for mark in marks]


def _is_declaration(annotation: Any) -> bool:
    """Return whether an annotation is a declaration, whose fields are traversed."""
    return isinstance(annotation, type) and issubclass(annotation, DeclaredKeys)
