"""From what was written to what is meant: line breaks in texts of the command line, one text for a list of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from tvo_cli.config import describing
from tvo_cli.config.escapes import unescaped
from tvo_cli.config.schema.checking import NOTHING, Given, check, resolved
from tvo_cli.config.schema.field_traversal import Entry, Path, dotted, entries, forms, of_field, places
from tvo_cli.config.schema.kinds import ESCAPES
from tvo_cli.config.schema.roots import ROOTS

BACKSLASH = "\\"


def prepare(config: Any, root: str, given: Given = NOTHING) -> None:
    """Read the texts of a composed config as they are meant, in place, and check all of it."""
    tree = resolved(config, root, given.overrides)
    lone_texts = [entry.path for entry in entries(ROOTS[root], tree) if _is_lone_text(entry)]
    for path in lone_texts:
        _put(config, path, [_raw(config, path)])
    is_changed = understand(config, root, given.overrides) or bool(lone_texts)
    check(config, root, given, None if is_changed else tree)


def understand(config: Any, root: str, overrides: Sequence[str]) -> bool:
    """Put the line breaks and tabs of the command line into the texts that are declared to be for a model.

    Returns whether there were any.
    """
    spoken = [(path, value) for path, value in _spoken(overrides) if BACKSLASH in str(value)]
    if not spoken:
        return False
    marked = {place.path for place in places(ROOTS[root], resolved(config, root, overrides)) if place.mark == ESCAPES}
    for path, value in spoken:
        if path in marked:
            _put(config, path, unescaped(value))
        elif (*path, 0) in marked:
            texts = value if isinstance(value, list) else [value]
            _put(config, path, [unescaped(one) if isinstance(one, str) else one for one in texts])
    return True


def _spoken(overrides: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """Keys and values that the command line sets, those inside mappings one by one."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    groups = describing.groups()
    for word in OverridesParser.create().parse_overrides(list(overrides)):
        if not (word.is_delete() or word.is_sweep_override() or word.key_or_group in groups):
            yield from _leaf_paths(tuple(str(word.key_or_group).split(".")), word.value())


def _leaf_paths(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaf_paths((*path, str(name)), one)
    else:
        yield path, value


def _is_lone_text(entry: Entry) -> bool:
    """Whether a key holds one text where a list of texts is declared and nothing that a lone text could be."""
    if not isinstance(entry.value, str):
        return False
    kinds = [annotation for annotation, _ in of_field(entry.field)]
    lists = [get_args(kind)[0] for kind in kinds if get_origin(kind) is list]
    return str not in kinds and any(kind is str for one in lists for kind, _ in forms(one))


def _raw(config: Any, path: Path) -> Any:
    """The value as it stands, its interpolations unresolved."""
    from omegaconf import OmegaConf

    parent = OmegaConf.select(config, dotted(path[:-1])) if path[1:] else config
    return parent._get_node(path[-1])._value()


def _put(config: Any, path: Path, value: Any) -> None:
    from omegaconf import OmegaConf

    OmegaConf.update(config, dotted(path), value, merge=False)
