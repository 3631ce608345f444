"""Overrides of a command line, `key=value`: quoting for Hydra and for a shell, splitting, old names of keys."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from tvo_cli.config.choices import choices_of_group
from tvo_cli.config.groups import config_groups
from tvo_cli.config.renamed_keys import rename_keys_of_overrides
from tvo_cli.errors import UserError

BEYOND_ASCII = re.compile(r"(?:\$\{[^}]*\}|[^,=:(){}\[\]])*[^\x00-\x7f](?:\$\{[^}]*\}|[^,=:(){}\[\]])*")
NO_NAME = re.compile(r"(?i:null|true|false)|[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?")  # what Hydra reads as no text
DIGITS = 1000  # of a number, more than any setting has; Python reads no integer of more than 4300


def normalised_overrides(words: Sequence[str]) -> list[str]:
    """Return the overrides as Hydra takes them: today's names of keys, quotes where its grammar needs them."""
    _check_choices_are_names(words)
    return quote_overrides(rename_keys_of_overrides(words))


def _check_choices_are_names(words: Sequence[str]) -> None:
    """Refuse `logger=null` and `model=1.5`, which name no choice of a group: Hydra fails by a ValueError."""
    for word in words:
        group, _, value = word.partition("=")
        given = [one.strip() for one in value.strip("[]").split(",")]
        unnamed = next((one for one in given if NO_NAME.fullmatch(one)), None)
        if unnamed is not None and group in config_groups():
            without = [f"{group}={one}" for one in ("none", "off") if one in choices_of_group(group)]
            remedy = f"{' or '.join(without)} is without. " if without else ""
            raise UserError(group, unnamed, "names no choice.", f"{remedy}All choices: tvo list {group}")


def quote_overrides(words: Sequence[str]) -> list[str]:
    """Return overrides with quotes around each value beyond ASCII, which Hydra's grammar takes in quotes only.

    `output_dir=größe` → `output_dir='größe'`, `name=ä,b` → `name='ä',b`. What has quotes already is left as it is.
    """
    return [_quote_override(word) if "=" in word and not word.startswith("-") else word for word in words]


def _quote_override(word: str) -> str:
    """Return an override with its value in quotes where Hydra's grammar needs them."""
    key, _, value = word.partition("=")
    if not key.lstrip("+~") or key.lstrip("+~").startswith("@"):  # Hydra fails by a ValueError
        raise UserError("override", word, "has no key.", "Settings are written key=value: optimizer.lr=1e-4.")
    if re.search(rf"\d{{{DIGITS}}}", value):
        raise UserError(key.lstrip("+~"), f"{value[:20]}…", f"has {len(value)} digits.", "No number here needs them.")
    if value.isascii() or re.search(r"['\"=]|[,:]\s", value):  # quoted already, or prose that needs quotes as a whole
        return word
    return f"{key}={BEYOND_ASCII.sub(_quote_non_ascii, value)}"


def _quote_non_ascii(found: re.Match[str]) -> str:
    """Put an override's part beyond ASCII into quotes for Hydra."""
    text = found.group()
    bare = text.strip(" ")
    closing = len(bare) - len(bare.rstrip("\\"))  # backslashes before the closing quote are read as pairs
    return text.replace(bare, f"'{bare}{closing * chr(92)}'", 1)


def split_override(word: str) -> tuple[str, str]:
    """Split an override into key and value: `+a.b='x y'` → (`a.b`, `x y`)."""
    key, _, value = word.partition("=")
    return key.lstrip("+~").partition("@")[0], value.strip().strip("'\"")


def hydra_override(key: str, value: str) -> str:
    """Return `key=value` quoted for Hydra alone."""
    return f"{key}={value}" if re.fullmatch(r"[\w./+-]+", value) else f"{key}={in_hydra_quotes(value)}"


def in_hydra_quotes(text: str, mark: str = "'") -> str:
    """Return a text in quotes as Hydra's grammar reads it back.

    There a backslash is one as it stands, but before a quote, also the closing one, two are one.
    """
    return mark + re.sub(rf"(\\*)({mark}|\Z)", lambda found: found[1] * 2 + (found[2] and "\\" + mark), text) + mark


def shell_override(key: str, value: str) -> str:
    """Return `key=value` quoted for a shell and for Hydra."""
    word = hydra_override(key, value)
    return word if word == f"{key}={value}" else shlex.quote(word)
