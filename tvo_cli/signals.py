"""Signals that the program may handle: one that was ignored at its start stays ignored (nohup, trap '', a job's &)."""

from __future__ import annotations

import signal
from collections.abc import Iterable


def signals_not_ignored(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Return the signals on which a handler may be put."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
