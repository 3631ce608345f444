"""The progress of an evaluation: a bar on a terminal, a line from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tvo_cli import escaping, standard_streams

EVERY = 10.0  # seconds between lines where there is no terminal


@contextmanager
def evaluation_progress() -> Iterator[Callable[[Any], object]]:
    """Open the progress bar of an evaluation; yield what to call after every batch."""
    if not standard_streams.can_standard_stream_redraw(sys.stderr):
        yield _progress_lines()
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

    from tvo_cli.tracking.terminal.terminal_echo import without_echo

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    with without_echo(sys.stderr), bar:
        task = bar.add_task("completions", total=None)

        def show(step: Any) -> None:
            words = escape(escaping.terminal(f"{step.suite}{accuracy_so_far(step)}"))
            bar.update(task, completed=step.done, total=step.total, description=words)

        yield show


def accuracy_so_far(step: Any) -> str:
    """Return ` 61.3% right` beside the bar of an evaluation, once something has been graded."""
    return f" {step.right / step.judged:.1%} right" if step.judged else ""


def _progress_lines() -> Callable[[Any], object]:
    """Return what prints an evaluation's progress as a line from time to time, where there is no terminal."""
    begun = time.monotonic()
    last, start = begun - EVERY, -1

    def show(step: Any) -> None:
        nonlocal last, start
        now = time.monotonic()
        start = step.done if start < 0 else start
        if now - last < EVERY and step.done < step.total:
            return
        from tvo_cli.tracking.terminal.console_numbers import format_duration

        last, rate = now, (step.done - start) / (now - begun) if step.done > start else 0.0
        left = (
            f", about {format_duration((step.total - step.done) / rate)} left"
            if rate and step.done < step.total
            else ""
        )
        print(
            f"{escaping.terminal(step.suite)}: {step.done}/{step.total}{accuracy_so_far(step)}{left}",
            file=sys.stderr,
            flush=True,
        )

    return show
