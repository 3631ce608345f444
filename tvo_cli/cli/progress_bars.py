"""Progress of commands: a bar or a line on a terminal, lines from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tvo_cli import escaping, standard_streams

if TYPE_CHECKING:
    from tvo_cli.reward.graded_rows import GradingSummary

REFRESH = 0.5  # seconds between two looks at the progress


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

    from tvo_cli.tracking.terminal_echo import without_echo

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    with without_echo(sys.stderr), bar:
        task = bar.add_task("completions", total=None)

        def show(step: Any) -> None:
            words = escape(escaping.terminal(f"{step.suite}{accuracy_so_far(step)}"))
            bar.update(task, completed=step.done, total=step.total, description=words)

        yield show


def accuracy_so_far(step: Any) -> str:
    """Return ` 61.3% right` for a progress bar, once something has been graded."""
    return f" {step.right / step.judged:.1%} right" if step.judged else ""


def _progress_lines() -> Callable[[Any], object]:
    """Return what prints a line of progress from time to time, where there is no terminal."""
    begun = time.monotonic()
    last, start = begun - EVERY, -1

    def show(step: Any) -> None:
        nonlocal last, start
        now = time.monotonic()
        start = step.done if start < 0 else start
        if now - last < EVERY and step.done < step.total:
            return
        from tvo_cli.tracking.console_numbers import format_duration

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


def hide_transformers_progress_bars() -> None:
    """Hide the bars that transformers draws for every checkpoint it reads or writes; downloads keep theirs."""
    from transformers.utils import logging

    logging.disable_progress_bar()


class GradingProgress:
    """The progress of `tvo grade` on a terminal: rows, speed, time left."""

    def __init__(self, total: int | None) -> None:
        self.total, self.shown, self.wanted = (
            total,
            time.monotonic(),
            standard_streams.can_standard_stream_redraw(sys.stderr),
        )

    def show(self, summary: GradingSummary) -> None:
        """Twice a second at most."""
        now = time.monotonic()
        if not self.wanted or now - self.shown < REFRESH:
            return
        self.shown = now
        speed = summary.rows / max(summary.seconds, 1e-9)
        left = "" if self.total is None else f" of {self.total:,}, {(self.total - summary.rows) / speed:,.0f} s left"
        share = summary.right / summary.rows
        sys.stderr.write(f"\r\x1b[K{summary.rows:,} rows{left}, {speed:,.0f} rows/s, {share:.1%} right")
        sys.stderr.flush()

    def clear(self) -> None:
        """Make room for what comes next."""
        if self.wanted:
            sys.stderr.write("\r\x1b[K")


def step_progress_lines(total: int, what: str, every: int = 50) -> Callable[[int, float], object]:
    """Return what prints a line of progress at the first step (1), the last one, and every so many between."""

    def report(step: int, value: float) -> None:
        if step % every == 0 or step in (1, total):
            print(f"step {step:>{len(str(total))}}/{total}  {what} {value:.4f}", flush=True)

    return report
