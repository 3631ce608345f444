"""`tvo train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tvo_cli.cli.override_args import UNTOUCHED, ConfigDir, Debug, DryRun, Multirun, Overrides, Shown, hydra_words

if TYPE_CHECKING:
    from omegaconf import DictConfig


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(context_settings=UNTOUCHED)(train)


def train(
    overrides: Overrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Train a policy, watch whether it is stable, evaluate it. -m runs every combination of a,b values."""
    words = hydra_words(overrides, multirun, cfg, config_dir)
    if dry_run:
        from tvo_cli.cli.dry_run import show

        show(words)
        return
    from tvo_cli.cli.startup_message import opening

    opening("tvo train", words)
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run, "train", words, program="tvo train", debug=debug))


def quiet() -> None:
    """transformers draws a bar for every checkpoint it reads or writes; downloads keep theirs."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _run(config: DictConfig) -> dict[str, Any]:
    from tvo_cli.experiment import train as run_training

    quiet()
    summary = run_training(config)
    from tvo_cli.report.run_end import close

    print(close(config.output_dir), flush=True)
    return summary
