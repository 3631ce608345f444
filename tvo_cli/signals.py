"""Which signals a program may hear: one that was ignored when it began stays ignored (nohup, trap '', a job's &)."""

from __future__ import annotations

import signal
from collections.abc import Iterable


def not_ignored(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Those of the signals that somebody may put a handler on."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
