"""The end of a rank that is asked to stop at once while it waits for another, in a call that handles no signal.

Python handles a signal between two of its own steps; a rank that waits in an exchange for one that hangs takes none.
The number of each signal goes through a pipe to a thread, which waits a moment for the handler and then ends the
process. torchrun would end it after 30 s, srun never.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tvo_cli import standard_streams

PATIENCE = 5.0  # seconds that the handler has
CODE = 128 + signal.SIGINT
SAID = "tvo: stopped at once, while it waited for another rank; the last checkpoint stands"


@contextmanager
def end_if_stuck(stops_at_once: Callable[[int, int], bool]) -> Iterator[None]:
    """Inside, in the main thread: end the process where the second signal is not handled.

    `stops_at_once`: the first signal's number and a later one's → whether that one stops at once.
    """
    out, into = os.pipe()
    os.set_blocking(into, False)
    handled = threading.Event()
    thread = threading.Thread(target=_wait_for_second, args=(out, stops_at_once, handled), daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(into, warn_on_full_buffer=False)
    try:
        yield
    finally:
        handled.set()
        signal.set_wakeup_fd(before)
        os.close(into)
        thread.join()
        os.close(out)


def _wait_for_second(out: int, stops_at_once: Callable[[int, int], bool], handled: threading.Event) -> None:
    """Read the numbers of signals until one stops at once, and end the process if nobody handles it."""
    first = 0
    while heard := os.read(out, 1):
        if first and stops_at_once(first, heard[0]):
            if not handled.wait(PATIENCE):
                standard_streams.write_to_stderr(SAID)
                os._exit(CODE)
            return
        first = first or heard[0]
