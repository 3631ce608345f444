"""The keys of a terminal while something is drawn on it: typed ones, ^C too, would tear what is drawn."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO


@contextmanager
def without_echo(stream: IO[str]) -> Iterator[None]:
    """Typed keys are not shown; Ctrl-C and Ctrl-Z work as ever. Nothing happens where there is no terminal of ours."""
    silenced = _set_echo(stream, on=False)
    try:
        yield
    finally:
        if silenced:
            _set_echo(stream, on=True)


def _set_echo(stream: IO[str], *, on: bool) -> bool:
    """Whether the terminal's echo was changed; that of a terminal which is gone, or another job's by now, is not."""
    import termios

    with suppress(OSError, ValueError, AttributeError, termios.error):
        descriptor = stream.fileno()
        if os.tcgetpgrp(descriptor) != os.getpgrp():  # in the background: the terminal is the shell's
            return False
        settings = termios.tcgetattr(descriptor)
        if bool(settings[3] & termios.ECHO) is on:
            return False
        settings[3] ^= termios.ECHO
        with _not_stopped():
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)  # not TCSADRAIN, which waits after Ctrl-S
        return True
    return False


@contextmanager
def _not_stopped() -> Iterator[None]:
    """SIGTTOU stops a job that was put into the background a moment ago."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
