"""The first line of a command: what is being loaded, before it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from tvo_cli import escaping

# of Hydra, after which nothing is loaded
SHOWN_ALONE = ("--cfg", "-c", "--info", "-i", "--help", "-h", "--hydra-help", "--version", "--shell-completion", "-sc")


def opening(command: str, words: Sequence[str]) -> None:
    """Say what a command that runs loads; a sweep's jobs load it themselves."""
    if any(word.partition("=")[0] in SHOWN_ALONE for word in words):
        return
    sweeps = any(word in ("-m", "--multirun") for word in words)
    announce(command, "composing the jobs" if sweeps else f"loading torch, transformers{_model(words)}")


def _model(words: Sequence[str]) -> str:
    """What the command line says of the model."""
    named = dict(word.partition("=")[::2] for word in words if "=" in word)
    model = named.get("model.path") or named.get("model")
    return f" and the model {model}" if model else ""


def announce(command: str, doing: str) -> None:
    """Say on stderr what takes the next seconds; where nobody can read it, nothing happens."""
    with suppress(OSError, ValueError):
        print(escaping.terminal(f"{command}: {doing} …"), file=sys.stderr, flush=True)
