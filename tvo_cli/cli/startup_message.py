"""The first line of a command on stderr: what is being loaded, before it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from tvo_cli import escaping

# of Hydra, after which nothing is loaded
SHOWN_ALONE = ("--cfg", "-c", "--info", "-i", "--help", "-h", "--hydra-help", "--version", "--shell-completion", "-sc")


def announce_loading(command: str, words: Sequence[str]) -> None:
    """Print what a command is about to load; a sweep's jobs load it themselves."""
    if any(word.partition("=")[0] in SHOWN_ALONE for word in words):
        return
    announce_users_configs(command, words)
    sweeps = any(word in ("-m", "--multirun") for word in words)
    announce_on_stderr(
        command, "composing the jobs" if sweeps else f"loading torch, transformers{_model_being_loaded(words)}"
    )


def announce_users_configs(command: str, words: Sequence[str]) -> None:
    """Print what a command takes from the user's folders of configs, and what in them takes the place of ours.

    `command`: tvo train, tvo train --dry-run, tvo eval; of one that composes no configuration, what they offer.
    """
    from tvo_cli import config

    name = command.split()[1]
    for note in config.notes_on_users_configs(words, name if name in config.ROOTS else ""):
        say_on_stderr(command, note)


def say_repeated_keys(command: str, words: Sequence[str]) -> None:
    """Print which keys are given more than once with different values, and which value holds."""
    from tvo_cli import config

    for note in config.notes_on_repeated_keys(config.normalised_overrides(words)):
        say_on_stderr(command, note)


def _model_being_loaded(words: Sequence[str]) -> str:
    """Return the model that the command line names."""
    named = dict(word.partition("=")[::2] for word in words if "=" in word)
    model = named.get("model.path") or named.get("model")
    return f" and the model {model}" if model else ""


def announce_on_stderr(command: str, doing: str) -> None:
    """Print on stderr what takes the next seconds; do nothing where nobody can read it."""
    say_on_stderr(command, f"{doing} …")


def say_on_stderr(command: str, text: str) -> None:
    """Print a line of a command on stderr; do nothing where nobody can read it."""
    with suppress(OSError, ValueError):
        print(escaping.terminal(f"{command}: {text}"), file=sys.stderr, flush=True)
