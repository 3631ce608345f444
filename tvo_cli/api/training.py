"""Training from Python: the same run, folder, state and card as `tvo train` in a shell."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tvo_cli import config as configuration
from tvo_cli.api.launching import launched
from tvo_cli.api.overrides import checked_overrides
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


def train(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> Run:
    """Train a policy and return its run, as `tvo train` does with the same overrides.

    config_dir: a folder of configs of your own, besides ./conf and TVO_CONF.

    Progress is printed as `logger.console` says; `logger.console=off` prints nothing. The working folder, the random
    generators, signal handlers and settings of torch are afterwards as they were.

    Raises:
        UserError: a setting is wrong; its text names the key, the value and what to do.
        RunInterrupted: a KeyboardInterrupt; the run is saved and resumes with its output_dir.
    """
    words = checked_overrides(overrides, "train")
    with launched("train", words, config_dir):
        config = configuration.compose_job(words, "train")
        try:
            run_in_folder(partial(train_and_report, show=_show_nothing), config, "train", words)
            return Run(Path(config.output_dir))
        except Interrupted as stopped:
            interrupted = stopped
    _pass_signal_to_caller(interrupted.signal)
    raise RunInterrupted(Run(Path(config.output_dir)), interrupted.checkpoint) from None


def _show_nothing(card: str) -> None:
    """The card is in the run's folder and in `Run.card`."""


def _pass_signal_to_caller(number: int) -> None:
    """After a training was stopped by a signal, deliver it to the caller's own handler, which has its place again."""
    if number not in (0, signal.SIGINT):
        signal.raise_signal(number)
