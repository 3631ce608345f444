"""Keys that had another name in an earlier version: the old spelling is read until 1.0, with one line that says so."""

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
def _notify(old: str, new: str) -> None:
    print(escaping.terminal(f"note: {old} is called {new} now; the old name is read until 1.0."), file=sys.stderr)


def rename_overrides(words: Sequence[str]) -> list[str]:
    """The words of a command line with today's names of keys: `++trainer.products=auto` → `++trainer.matmul=auto`."""
    return [_rename_override(word) for word in words]


def _rename_override(word: str) -> str:
    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    if name not in RENAMED or word.startswith("-"):
        return word
    _notify(name, RENAMED[name])
    return f"{key[: len(key) - len(name)]}{RENAMED[name]}{equals}{value}"


def rename_config(config: DictConfig) -> None:
    """Give today's names to the keys of a composed config, in place: a user's own yaml may have old ones."""
    from omegaconf import OmegaConf, open_dict

    for old, new in RENAMED.items():
        group, _, name = old.partition(".")
        node = OmegaConf.select(config, group)
        written = OmegaConf.to_container(node, resolve=False) if OmegaConf.is_dict(node) else {}
        if not isinstance(written, dict) or name not in written:
            continue
        _notify(old, new)
        with open_dict(node):
            del node[name]
            node[new.partition(".")[2]] = written[name]


def rename_tree(tree: dict[str, Any], names: Mapping[str, str] = RENAMED) -> None:
    """Give today's names to the keys of a recorded config, in place and without a word."""
    for old, new in names.items():
        group, _, name = old.partition(".")
        node = tree.get(group)
        if isinstance(node, dict) and name in node:
            node[new.partition(".")[2]] = node.pop(name)


def current_name(key: str) -> str:
    """The dotted key under its name of today."""
    return RENAMED.get(key, key)


def first_names(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A config under the names that its keys had first, so that a fingerprint stays what it was."""
    found = {key: dict(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
    rename_tree(found, {new: old for old, new in RENAMED.items()})
    return found
