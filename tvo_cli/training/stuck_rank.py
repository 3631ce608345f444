"""The end of a rank that is asked to stop at once while it waits for another, in a call that handles no signal.

Python handles a signal between two of its own steps; a rank that waits in an exchange for one that hangs takes none.
The number of each signal goes through a pipe to a thread, which waits a moment for the handler and then ends the
process. torchrun would end it after 30 s, srun never. What the run's state.json would say of a handled one is written
before, by a thread that the end does not wait for: the folder may be on a drive that does not answer.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tvo_cli import standard_streams
from tvo_cli.tracking import run_status

PATIENCE = 5.0  # seconds that the handler has, and the run's folder
CODE = 128 + signal.SIGINT
REASON = "stopped at once, while it waited for another rank; the last checkpoint stands"


@contextmanager
def end_if_stuck(stops_at_once: Callable[[int, int], bool], folder: Path) -> Iterator[None]:
    """Inside, in the main thread: end the process where the second signal is not handled.

    `stops_at_once`: the first signal's number and a later one's → whether that one stops at once. `folder`: the run's,
    whose state.json says how it ended where this process has written it.
    """
    out, into = os.pipe()
    os.set_blocking(into, False)
    handled = threading.Event()
    thread = threading.Thread(target=_wait_for_second, args=(out, stops_at_once, handled, folder), daemon=True)
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


def _wait_for_second(
    out: int, stops_at_once: Callable[[int, int], bool], handled: threading.Event, folder: Path
) -> None:
    """Read the numbers of signals until one stops at once, and end the process if nobody handles it."""
    first = 0
    while heard := os.read(out, 1):
        if first and stops_at_once(first, heard[0]):
            if not handled.wait(PATIENCE):
                _end_at_once(folder)
            return
        first = first or heard[0]


def _end_at_once(folder: Path) -> None:
    """Say how the process ends, on stderr and in state.json, and end it."""
    standard_streams.write_to_stderr(f"tvo: {REASON}")
    told = (folder, run_status.INTERRUPTED, CODE, REASON)
    writing = threading.Thread(target=run_status.write_end_of_own_run, args=told, daemon=True)
    writing.start()
    writing.join(PATIENCE)
    os._exit(CODE)
