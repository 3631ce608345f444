"""The command that makes a run again, ready to copy into a shell: from a shell, from a sweep or from Python code."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from tvo_cli import redaction
from tvo_cli.config.overrides import hydra_override, split_override

ENVIRONMENT = ("TVO_CONF", "TVO_PLUGINS")  # variables that decide what a config is
_command_from_python: ContextVar[str] = ContextVar("command", default="")


@contextmanager
def launched_from_python(program: str, words: Sequence[str]) -> Iterator[None]:
    """Inside: `rerun_command` is that of a run which Python code has started: the same command in a shell."""
    command = f"{environment_prefix()}{program} {shlex.join(redaction.redacted_arguments(words))}"
    token = _command_from_python.set(command.strip())
    try:
        yield
    finally:
        _command_from_python.reset(token)


def rerun_command(launched: str = "tvo") -> str:
    """Return the command line that makes this very run, ready to copy, secrets redacted; a sweep's job has its own.

    `launched`: what starts it in place of `tvo`, where that is several processes.
    """
    import sys

    if _command_from_python.get():
        return _command_from_python.get()

    from hydra.core.hydra_config import HydraConfig

    words = sys.argv[1:]
    if HydraConfig.initialized() and HydraConfig.get().mode is not None and "MULTIRUN" in str(HydraConfig.get().mode):
        kept = [word for word in HydraConfig.get().overrides.task if split_override(word)[0] != "output_dir"]
        words = [*kept, hydra_override("output_dir", HydraConfig.get().runtime.output_dir)]
    program = sys.argv[0] if sys.argv and sys.argv[0].startswith("tvo ") else "tvo train"
    program = program.replace("tvo", launched, 1)
    return f"{environment_prefix()}{program} {shlex.join(redaction.redacted_arguments(words))}".strip()


def environment_prefix() -> str:
    """Return `TVO_CONF=… ` before a command to copy, where a variable is set without which it is another command."""
    from tvo_cli.config.search_path import is_ignored_folder_of_ours

    given = {name: os.environ.get(name, "") for name in ENVIRONMENT}
    ignoring = "TVO_CONF= " if is_ignored_folder_of_ours() else ""
    return ignoring + "".join(f"{name}={shlex.quote(value)} " for name, value in given.items() if value)
