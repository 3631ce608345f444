"""Renamed keys: the old spelling is read until 1.0, with one line that says so."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tvo_cli import escaping

if TYPE_CHECKING:
    from omegaconf import DictConfig

RENAMED = {  # in 0.2
    "rollout.batch_rows": "rollout.batch_size",
    "stability.thicken": "stability.viscosity_factor",
    "trainer.products": "trainer.matmul",
}


@cache  # once in a process
def _notify_of_renamed_key(old: str, new: str) -> None:
    print(escaping.terminal(f"note: {old} is called {new} now; the old name is read until 1.0."), file=sys.stderr)


def rename_keys_of_overrides(words: Sequence[str]) -> list[str]:
    """Return overrides with today's names of keys: `++trainer.products=auto` → `++trainer.matmul=auto`."""
    return [_rename_key_of_override(word) for word in words]


def _rename_key_of_override(word: str) -> str:
    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    if name not in RENAMED or word.startswith("-"):
        return word
    _notify_of_renamed_key(name, RENAMED[name])
    return f"{key[: len(key) - len(name)]}{RENAMED[name]}{equals}{value}"


def rename_keys_of_config(config: DictConfig) -> None:
    """Rename the old keys of a composed config, in place: a user's own yaml may have them."""
    from omegaconf import OmegaConf, open_dict

    for old, new in RENAMED.items():
        group, _, name = old.partition(".")
        node = OmegaConf.select(config, group)
        written = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_dict(node) else {}
        if not isinstance(written, dict) or name not in written:
            continue
        _notify_of_renamed_key(old, new)
        with open_dict(node):
            del node[name]
            node[new.partition(".")[2]] = written[name]


def rename_keys_of_tree(tree: dict[str, Any], names: Mapping[str, str] = RENAMED) -> None:
    """Rename the old keys of a recorded config, in place and without a notice."""
    for old, new in names.items():
        group, _, name = old.partition(".")
        node = tree.get(group)
        if isinstance(node, dict) and name in node:
            node[new.partition(".")[2]] = node.pop(name)


def current_key_name(key: str) -> str:
    """Return a dotted key under its name of today."""
    return RENAMED.get(key, key)


def with_first_key_names(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config under the first names of its keys, so that its fingerprint stays what it was."""
    found = {key: dict(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
    rename_keys_of_tree(found, {new: old for old, new in RENAMED.items()})
    return found
