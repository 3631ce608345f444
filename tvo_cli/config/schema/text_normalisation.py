"""Normalisation of texts: line breaks of the command line, a list of one text where a lone text stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from tvo_cli.config import groups
from tvo_cli.config.newline_escapes import unescape_newlines
from tvo_cli.config.schema.command_configs import CONFIG_OF_COMMAND
from tvo_cli.config.schema.field_traversal import (
    FieldEntry,
    Path,
    dotted,
    field_alternatives,
    field_entries,
    marked_fields,
    type_alternatives,
)
from tvo_cli.config.schema.key_location import NO_SOURCES, ConfigSources
from tvo_cli.config.schema.known_keys import resolved_tree_of_command
from tvo_cli.config.schema.validation import validate_config
from tvo_cli.config.schema.value_types import ESCAPES

BACKSLASH = "\\"


def normalise_and_validate(config: Any, root: str, given: ConfigSources = NO_SOURCES) -> None:
    """Normalise the texts of a composed config, in place, and validate all of it."""
    tree = resolved_tree_of_command(config, root, given.overrides)
    lone_texts = [entry.path for entry in field_entries(CONFIG_OF_COMMAND[root], tree) if _is_lone_text(entry)]
    for path in lone_texts:
        _set_text(config, path, [_unresolved_text(config, path)])
    is_changed = normalise_command_line_texts(config, root, given.overrides) or bool(lone_texts)
    validate_config(config, root, given, None if is_changed else tree)


def normalise_command_line_texts(config: Any, root: str, overrides: Sequence[str]) -> bool:
    """Normalise a command line's line breaks and tabs in the texts that are declared to be for a model.

    Returns whether there were any.
    """
    spoken = [(path, value) for path, value in _command_line_values(overrides) if BACKSLASH in str(value)]
    if not spoken:
        return False
    marked = {
        place.path
        for place in marked_fields(CONFIG_OF_COMMAND[root], resolved_tree_of_command(config, root, overrides))
        if place.mark == ESCAPES
    }
    for path, value in spoken:
        if path in marked:
            _set_text(config, path, unescape_newlines(value))
        elif (*path, 0) in marked:
            texts = value if isinstance(value, list) else [value]
            _set_text(config, path, [unescape_newlines(one) if isinstance(one, str) else one for one in texts])
    return True


def _command_line_values(overrides: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """Yield the keys and values that the command line sets, those inside mappings one by one."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    choosable = groups.config_groups()
    for word in OverridesParser.create().parse_overrides(list(overrides)):
        if not (word.is_delete() or word.is_sweep_override() or word.key_or_group in choosable):
            yield from _leaf_values(tuple(str(word.key_or_group).split(".")), word.value())


def _leaf_values(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield the path and value of every leaf of a command-line value."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaf_values((*path, str(name)), one)
    else:
        yield path, value


def _is_lone_text(entry: FieldEntry) -> bool:
    """Return whether a key holds one text where a list of texts is declared, which could be no lone text."""
    if not isinstance(entry.value, str):
        return False
    kinds = [annotation for annotation, _ in field_alternatives(entry.field)]
    lists = [get_args(kind)[0] for kind in kinds if get_origin(kind) is list]
    return str not in kinds and any(kind is str for one in lists for kind, _ in type_alternatives(one))


def _unresolved_text(config: Any, path: Path) -> Any:
    """Return a text of a config to normalise, its interpolations unresolved."""
    from omegaconf import OmegaConf

    parent = OmegaConf.select(config, dotted(path[:-1])) if path[1:] else config
    return parent._get_node(path[-1])._value()


def _set_text(config: Any, path: Path, value: Any) -> None:
    """Set the normalised text of a config, in place."""
    from omegaconf import OmegaConf

    OmegaConf.update(config, dotted(path), value, merge=False)
