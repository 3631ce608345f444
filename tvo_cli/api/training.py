"""Training from Python: the same run, folder, state and card as `tvo train` in a shell."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tvo_cli import config as configuration
from tvo_cli.api.overrides import checked_overrides, user_errors_raised
from tvo_cli.api.process_state import process_state_kept
from tvo_cli.api.run import Run
from tvo_cli.job.run_in_folder import run_in_folder
from tvo_cli.job.training import train_and_report
from tvo_cli.training.stop_signals import Interrupted


class RunInterrupted(KeyboardInterrupt):
    """The kernel was interrupted, or a signal came; everything is saved. `run` is the run so far."""

    def __init__(self, run: Run, checkpoint: Path) -> None:
        self.run = run
        super().__init__(
            f"interrupted; saved {checkpoint}. The same overrides with output_dir={run.folder} resume from there."
        )


def train(overrides: Sequence[str] = ()) -> Run:
    """Train a policy and return its run, as `tvo train` does with the same overrides.

    Progress is printed as `logger.console` says; `logger.console=off` prints nothing. The working folder, the random
    generators, signal handlers and settings of torch are afterwards as they were.

    Raises:
        UserError: a setting is wrong; its text names the key, the value and what to do.
        RunInterrupted: a KeyboardInterrupt; the run is saved and resumes with its output_dir.
    """
    words = checked_overrides(overrides, "train")
    with user_errors_raised(), process_state_kept(), configuration.launched_from_python("tvo train", words):
        config = configuration.compose_job(words, "train")
        run = Run(Path(config.output_dir))
        try:
            run_in_folder(partial(train_and_report, show=_show_nothing), config, "train", words)
            return run
        except Interrupted as stopped:
            interrupted = stopped
    _pass_on(interrupted.signal)
    raise RunInterrupted(run, interrupted.checkpoint) from None


def _show_nothing(card: str) -> None:
    """The card is in the run's folder and in `Run.card`."""


def _pass_on(number: int) -> None:
    """Deliver a signal that asked for the stop to the caller's own handler, which has its place again."""
    if number not in (0, signal.SIGINT):
        signal.raise_signal(number)
