"""Keys that a command line gives more than once: Hydra lets the last one hold, without a word."""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli import redaction


def notes_on_repeated_keys(words: Sequence[str]) -> list[str]:
    """Return a line for each key that overrides give with different values: which they are, and which one holds.

    `seed=1 seed=2` → `seed is given twice (seed=1 seed=2): the last one holds, seed=2.` Mappings (`a={…}`) are merged
    by Hydra, and what is added twice (`+a=1 +a=2`) it refuses itself or adds.
    """
    given: dict[str, list[str]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals and not word.startswith(("-", "~")) and not value.lstrip().startswith("{"):
            given.setdefault(key.lstrip("+"), []).append(word)
    return [_note_on_repeated_key(key, found) for key, found in given.items() if _is_repeated(found)]


def _is_repeated(found: Sequence[str]) -> bool:
    """Whether one key's overrides differ in value, and are not all added: `+a=1 +a=2`."""
    added = all(word.startswith("+") and not word.startswith("++") for word in found)
    return not added and len({word.partition("=")[2] for word in found}) > 1


def _note_on_repeated_key(key: str, found: Sequence[str]) -> str:
    shown = redaction.redacted_arguments(found)
    times = "twice" if len(found) == 2 else f"{len(found)} times"
    return f"{key} is given {times} ({' '.join(shown)}): the last one holds, {shown[-1]}."
