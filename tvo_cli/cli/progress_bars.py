"""Progress of `tvo grade` and `tvo sft`, in rows and in steps; transformers' own bars are hidden."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tvo_cli import standard_streams

if TYPE_CHECKING:
    from tvo_cli.reward.graded_rows import GradingSummary

REFRESH = 0.5  # seconds between two looks at the progress


def hide_transformers_progress_bars() -> None:
    """Hide the bars that transformers draws for every checkpoint it reads or writes; downloads keep theirs."""
    from transformers.utils import logging

    logging.disable_progress_bar()


class GradingProgress:
    """The progress bar of `tvo grade` on a terminal: rows, speed, time left."""

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
    """Return what prints progress as a line at the first step (1), the last one, and every so many between."""

    def report(step: int, value: float) -> None:
        if step % every == 0 or step in (1, total):
            print(f"step {step:>{len(str(total))}}/{total}  {what} {value:.4f}", flush=True)

    return report
