"""SIGTERM, SIGHUP, SIGUSR1 and the first Ctrl-C ask for a stop after the update under way; a second Ctrl-C stops at
once. One that was ignored when the program began (nohup, a background job of a script) stays ignored.

So does SIGUSR2 where somebody above us listens for it (submitit, which puts the job into the queue again then).
torchrun passes the first Ctrl-C on to its ranks, and a second one as SIGTERM.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from tvo_cli import standard_streams
from tvo_cli.parallel.launched_process import launched_process
from tvo_cli.signals import signals_not_ignored
from tvo_cli.training.stuck_rank import end_if_stuck

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
ABOVE = signal.SIGUSR2
SAID = "stopping after this update; then everything is saved. Ctrl-C again stops at once."


class StopRequest:
    """Whether a signal has requested a stop; `number` is the first one that did.

    No threading.Event: its `set` takes a lock, and a handler that comes while this thread holds it would wait for ever.
    """

    number = 0

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self.number != 0


@contextmanager
def handle_stop_signals(
    folder: Path, announce: Callable[[str], object] = standard_streams.write_to_stderr
) -> Iterator[StopRequest]:
    """A stop request that is set when a signal comes. In a thread that gets no signals it never is.

    `folder` is the run's; `announce` is called from a signal handler: it must not print.
    """
    request, place = StopRequest(), launched_process()

    def stops_at_once(first: int, signum: int) -> bool:
        passed_on = place.launcher == "torchrun" and first == signal.SIGINT and signum == signal.SIGTERM
        return signum == signal.SIGINT or passed_on

    def ask(signum: int, frame: FrameType | None) -> None:
        if request.is_set() and stops_at_once(request.number, signum):
            raise KeyboardInterrupt
        if not request.is_set():
            request.number = signum
            announce(SAID)

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    heard = (*SIGNALS, ABOVE) if callable(signal.getsignal(ABOVE)) else SIGNALS
    before = {number: signal.signal(number, ask) for number in signals_not_ignored(heard)}
    try:
        with end_if_stuck(stops_at_once, folder) if place.count > 1 else nullcontext():
            yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupted(Exception):
    """A signal asked for a stop; everything is saved."""

    def __init__(self, checkpoint: Path, number: int = 0) -> None:
        self.checkpoint, self.signal = checkpoint, number
        super().__init__(f"interrupted; saved {checkpoint}")
