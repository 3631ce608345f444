"""The echo of a terminal while something is drawn on it: typed keys, ^C too, would tear what is drawn."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO


@contextmanager
def without_echo(stream: IO[str]) -> Iterator[None]:
    """Switch the terminal's echo off inside a `with`; Ctrl-C works as ever and discards nothing.

    Nothing happens where there is no terminal of ours.
    """
    before = _set_echo(stream, echo=False, discard=False)
    try:
        yield
    finally:
        if before is not None:
            _set_echo(stream, *before)


def _set_echo(stream: IO[str], echo: bool, discard: bool) -> tuple[bool, bool] | None:
    """Set the echo and what Ctrl-C does to both queues (termios(3): ECHO, NOFLSH); return what they were.

    None where nothing was changed: the terminal is gone, or another job's by now.
    """
    import termios

    with suppress(OSError, ValueError, AttributeError, termios.error):
        descriptor = stream.fileno()
        if os.tcgetpgrp(descriptor) != os.getpgrp():  # in the background: the terminal is the shell's
            return None
        settings = termios.tcgetattr(descriptor)
        before = int(settings[3])
        keeps = before & ~(termios.ECHO | termios.NOFLSH)
        settings[3] = keeps | (termios.ECHO if echo else 0) | (0 if discard else termios.NOFLSH)
        with _block_sigttou():
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)  # not TCSADRAIN, which waits after Ctrl-S
        return bool(before & termios.ECHO), not before & termios.NOFLSH
    return None


@contextmanager
def _block_sigttou() -> Iterator[None]:
    """Block SIGTTOU, which stops a job that was put into the background a moment ago."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
