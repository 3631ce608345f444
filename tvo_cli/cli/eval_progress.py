"""The progress of an evaluation: a bar with ETA and running accuracy on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tvo_cli import escaping, standard_streams

EVERY = 10.0  # seconds between lines where there is no terminal


@contextmanager
def watching() -> Iterator[Callable[[Any], object]]:
    """What to call after every batch, with a step: suite, done, total, right, judged."""
    if not standard_streams.redraws(sys.stderr):
        yield _lines()
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from tvo_cli.tracking.terminal import without_echo

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    with without_echo(sys.stderr), bar:
        task = bar.add_task("completions", total=None)

        def show(step: Any) -> None:
            words = escape(escaping.terminal(f"{step.suite}{accuracy(step)}"))
            bar.update(task, completed=step.done, total=step.total, description=words)

        yield show


def accuracy(step: Any) -> str:
    """` 61.3% right`, once something has been judged."""
    return f" {step.right / step.judged:.1%} right" if step.judged else ""


def _lines() -> Callable[[Any], object]:
    begun = time.monotonic()
    last, start = begun - EVERY, -1

    def show(step: Any) -> None:
        nonlocal last, start
        now = time.monotonic()
        start = step.done if start < 0 else start
        if now - last < EVERY and step.done < step.total:
            return
        from tvo_cli.tracking.sparkline import duration

        last, rate = now, (step.done - start) / (now - begun) if step.done > start else 0.0
        left = f", about {duration((step.total - step.done) / rate)} left" if rate and step.done < step.total else ""
        print(
            f"{escaping.terminal(step.suite)}: {step.done}/{step.total}{accuracy(step)}{left}",
            file=sys.stderr,
            flush=True,
        )

    return show
