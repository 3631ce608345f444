"""Bounds that hold on a slow CPU and a busy machine: processor time, in units of what a plain loop takes here."""

from __future__ import annotations

import time
from collections.abc import Callable


def seconds(call: Callable[[], object], tries: int = 1) -> float:
    """The least processor time of a call in this process, children not counted."""
    taken = []
    for _ in range(tries):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def loops(call: Callable[[], object], tries: int = 5) -> float:
    """How many times as long as a plain loop over 100,000 numbers a call takes: a few ms each."""
    return seconds(call, tries) / seconds(plain_loop, 5)


def plain_loop() -> int:
    """The unit: what any interpreter does at the speed of its CPU."""
    total = 0
    for number in range(100_000):
        total += number
    return total
