"""File descriptors of a console: write to one without waiting for its reader and without being stopped by it."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress

CHUNK = select.PIPE_BUF  # a pipe that is ready takes so many bytes without blocking (POSIX)


def is_writable(descriptor: int, end: float | None) -> bool:
    """Return whether a descriptor takes bytes, now or before `end`; an error counts, for the write will raise it."""
    left = None if end is None else max(0.0, end - time.monotonic())
    return bool(select.select([], [descriptor], [], left)[1])


def would_descriptor_stop_process(descriptor: int) -> bool:
    """Return whether a write to a file descriptor would stop the process, behind a terminal's `stty tostop`."""
    if not os.isatty(descriptor):
        return False
    import termios

    try:
        return bool(termios.tcgetattr(descriptor)[3] & termios.TOSTOP) and os.tcgetpgrp(descriptor) != os.getpgrp()
    except (OSError, termios.error):
        return False


def nonblocking_descriptor(descriptor: int) -> int:
    """Return a file descriptor of the same terminal on which no write blocks; else the given one.

    Opened anew, because the flag of the given one is shared with the shell. A pipe needs none: see CHUNK.
    """
    with suppress(OSError):
        if os.isatty(descriptor):
            return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return descriptor


def redirect_to_devnull(descriptor: int) -> None:
    """Put /dev/null under a descriptor: child processes and libraries' own code write there too."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere == descriptor:
            os.set_inheritable(descriptor, True)
        else:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
