"""Going through a declaration: every declared key, and the places of a config that mean more than a value."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from tvo_cli.config.schema.kinds import BUILT, Keys, Mark

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """A node or value of a config whose type is marked."""

    path: Path
    mark: Mark
    value: Any


class Entry(NamedTuple):
    """A declared key that a config has."""

    path: Path
    field: FieldInfo
    value: Any


def dotted(path: Sequence[str | int]) -> str:
    """("a", "b", 0) → `a.b.0`."""
    return ".".join(map(str, path))


def forms(annotation: Any, marks: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The alternatives of a type, each with its metadata."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from forms(inner, (*marks, *more))
    elif get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from forms(one, marks)
    else:
        yield annotation, marks


def of_field(field: FieldInfo) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The alternatives of a key."""
    return forms(field.annotation, tuple(field.metadata))


def declared(model: type[Keys], prefix: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Every key of a declaration with its path; `*` stands for the names of a map."""
    for name, field in model.model_fields.items():
        yield (*prefix, name), field
        for annotation, _ in of_field(field):
            yield from _below(annotation, (*prefix, name))


def _below(annotation: Any, path: Path) -> Iterator[tuple[Path, FieldInfo]]:
    if _is_keys(annotation):
        yield from declared(annotation, path)
    elif get_origin(annotation) is dict:
        for inner, _ in forms(get_args(annotation)[1]):
            yield from _below(inner, (*path, "*"))


def entries(model: type[Keys], tree: Mapping[str, Any], prefix: Path = ()) -> Iterator[Entry]:
    """Every declared key of a config, with its value."""
    for name, field in model.model_fields.items():
        if name in tree:
            yield Entry((*prefix, name), field, tree[name])
            for annotation, _ in of_field(field):
                yield from _entries(annotation, tree[name], (*prefix, name))


def _entries(annotation: Any, value: Any, path: Path) -> Iterator[Entry]:
    if _is_keys(annotation) and fits(annotation, value):
        yield from entries(annotation, value, path)
    elif get_origin(annotation) is dict and isinstance(value, Mapping):
        for name, one in value.items():
            for inner, _ in forms(get_args(annotation)[1]):
                yield from _entries(inner, one, (*path, str(name)))


def places(model: type[Keys], tree: Mapping[str, Any], prefix: Path = ()) -> Iterator[Place]:
    """Every marked place of a config."""
    for name, field in model.model_fields.items():
        if name in tree:
            for annotation, marks in of_field(field):
                yield from _places(annotation, marks, tree[name], (*prefix, name))


def _places(annotation: Any, marks: Sequence[Any], value: Any, path: Path) -> Iterator[Place]:
    own = next((mark for mark in marks if isinstance(mark, Mark)), None)
    if own is not None and isinstance(value, get_origin(annotation) or annotation):
        yield Place(path, own, value)
    elif _is_keys(annotation) and fits(annotation, value):
        yield from places(annotation, value, path)
    elif get_origin(annotation) is dict and isinstance(value, Mapping):
        for name, one in value.items():
            yield from _inside(get_args(annotation)[1], one, (*path, str(name)))
    elif get_origin(annotation) is list and isinstance(value, list):
        for index, one in enumerate(value):
            yield from _inside(get_args(annotation)[0], one, (*path, index))


def _inside(annotation: Any, value: Any, path: Path) -> Iterator[Place]:
    for inner, marks in forms(annotation):
        yield from _places(inner, marks, value, path)


def fits(model: type[Keys], value: Any) -> bool:
    """Whether a mapping is of this declaration: of several it is the one of its `kind`."""
    if not isinstance(value, Mapping):
        return False
    kind = model.model_fields.get("kind")
    return kind is None or get_origin(kind.annotation) is not Literal or value.get("kind") in get_args(kind.annotation)


def field_at(model: type[Keys], tree: Any, path: Path) -> tuple[Path, FieldInfo] | None:
    """The declared key at a place or the last one on the way to it."""
    field = model.model_fields.get(str(path[0])) if path else None
    if field is None:
        return None
    value = tree.get(path[0]) if isinstance(tree, Mapping) else None
    deeper = _field_below(field, value, path[1:])
    return (path[:1], field) if deeper is None else ((*path[:1], *deeper[0]), deeper[1])


def _field_below(field: FieldInfo, value: Any, path: Path) -> tuple[Path, FieldInfo] | None:
    for annotation, _ in of_field(field):
        skipped: Path = ()
        if get_origin(annotation) is dict and len(path) > 1:
            annotation = next((one for one, _ in forms(get_args(annotation)[1])), None)
            skipped, path = path[:1], path[1:]
            value = value.get(skipped[0]) if isinstance(value, Mapping) else None
        if _is_keys(annotation) and fits(annotation, value):
            found = field_at(annotation, value, path)
            if found is not None:
                return (*skipped, *found[0]), found[1]
    return None


def is_built(field: FieldInfo) -> bool:
    """Whether a key, or every name of a map, holds what the program builds."""
    return any(BUILT in (*marks, *_marks_inside(annotation)) for annotation, marks in of_field(field))


def _marks_inside(annotation: Any) -> list[Any]:
    inside = forms(get_args(annotation)[1]) if get_origin(annotation) is dict else ()
    return [mark for _, marks in inside for mark in marks]


def _is_keys(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Keys)
