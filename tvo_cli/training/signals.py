"""SIGTERM, SIGUSR1 and the first Ctrl-C ask for a stop after the update under way; a second Ctrl-C stops at once.

So does SIGUSR2 where somebody above us listens for it (submitit, which puts the job into the queue again then).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
ABOVE = signal.SIGUSR2
SAID = b"tvo: stopping after this update; then everything is saved. Ctrl-C again stops at once.\n"


class Asked(threading.Event):
    """Set when somebody has asked for a stop; `number` is the first signal that did."""

    number = 0


@contextmanager
def interruptible() -> Iterator[Asked]:
    """An event that is set when somebody has asked for a stop. In a thread that gets no signals it never is."""
    asked = Asked()

    def ask(signum: int, frame: FrameType | None) -> None:
        if asked.is_set() and signum == signal.SIGINT:
            raise KeyboardInterrupt
        if not asked.is_set():
            os.write(2, SAID)  # not print: a handler may run in the middle of another write
            asked.number = signum
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    heard = (*SIGNALS, ABOVE) if callable(signal.getsignal(ABOVE)) else SIGNALS
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
