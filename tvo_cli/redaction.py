"""What may be written down or shown: texts under names of secrets are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

SECRET = re.compile(r"token(?!s)|key|password|secret", re.IGNORECASE)  # microbatch_tokens is none
ENTRY = re.compile(
    r"""([{,]\s*["']?[\w.-]+["']?\s*:\s*)(\[[^\]]*\]|"[^"]*"|'[^']*'|[^,{}\[\]]+)"""
)  # of a mapping in a word
NUMBERS = re.compile(r"[\d.eE+,-]+")
MASK = "***"


def masked(tree: Any, key: str = "") -> Any:
    """The tree with texts under secret-looking keys replaced: what may be written to disk or shown."""
    if isinstance(tree, Mapping):
        return {name: masked(value, str(name)) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [masked(value, key) for value in tree]
    return MASK if isinstance(tree, str) and tree and is_secret(key) else tree


def is_secret(key: str) -> bool:
    """Whether a key names something that must not be written down; a tokenizer is none."""
    return bool(SECRET.search(key.lower().replace("tokenizer", "")))


def masked_words(words: Iterable[str]) -> list[str]:
    """Command-line words with the values of secret-looking keys replaced."""
    out = []
    for word in words:
        key, equals, value = word.partition("=")
        whole = equals and _is_hidden(key.rsplit(".", 1)[-1], value)
        out.append(f"{key}={MASK}" if whole else ENTRY.sub(_masked_entry, word))
    return out


def _masked_entry(entry: re.Match[str]) -> str:
    return f"{entry[1]}{MASK}" if _is_hidden(entry[1], entry[2]) else entry[0]


def _is_hidden(key: str, value: str) -> bool:
    """A secret is a text: max_tokens=64 is none."""
    return is_secret(key) and not NUMBERS.fullmatch(value.strip())
