"""Overrides as Python code gives them to a call: checked, and as Hydra takes them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from tvo_cli import config as configuration
from tvo_cli import escaping
from tvo_cli.api.launching import refuse_call_on_ranks
from tvo_cli.errors import UserError


def checked_overrides(overrides: Iterable[str], command: str, given: Sequence[str] = ()) -> list[str]:
    """Return the overrides of a call, normalised; UserError for what is no list of `key=value`.

    given: those that stand for other arguments of the call, before the rest. A key that is given twice is said.
    Options of the shell's command are none: a sweep (-m) is a loop, or `tvo train -m` in a shell.
    """
    words = [] if isinstance(overrides, str | Mapping) or not isinstance(overrides, Iterable) else list(overrides)
    if (overrides and not words) or not all(isinstance(word, str) for word in words):
        remedy = f'Write a list of texts: tvo.{command}(["seed=1", "optimizer.lr=1e-4"]).'
        raise UserError("overrides", repr(overrides), "is no list of texts.", remedy)
    options = [word for word in words if word.startswith("-")]
    if options:
        remedy = f"For a sweep call tvo.{command} in a loop, or run `tvo {command} -m …` in a shell and load its runs."
        raise UserError("overrides", options[0], "is an option of the shell's command.", remedy)
    refuse_call_on_ranks(command)
    normalised = configuration.normalised_overrides([*given, *words])
    for note in configuration.notes_on_repeated_keys(normalised):
        print(escaping.terminal(f"note: {note}"), file=sys.stderr)
    return normalised
