"""`tvo train`: one training run, a sweep, or a dry run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from tvo_cli.cli.override_args import (
    PASS_ARGUMENTS_THROUGH,
    ConfigDir,
    Debug,
    DryRun,
    Multirun,
    Overrides,
    RankCount,
    Shown,
    hydra_arguments,
)
from tvo_cli.errors import UserError
from tvo_cli.parallel.launched_process import launched_process

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.parallel.ranks import Ranks


def add_to(app: typer.Typer) -> None:
    """Register `tvo train`."""
    app.command(context_settings=PASS_ARGUMENTS_THROUGH)(train)


def train(
    overrides: Overrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    dry_run: DryRun = False,
    ranks: RankCount = None,
    debug: Debug = False,
) -> None:
    """Train a policy, watch whether it is stable, evaluate it. -m runs every combination of a,b values."""
    words = hydra_arguments(overrides, multirun, cfg, config_dir)
    if dry_run:
        if not launched_process().leads:
            return
        from tvo_cli.cli.dry_run import show_dry_run

        show_dry_run(words, ranks)
        return
    if ranks is not None:
        remedy = f"torchrun --standalone --nproc-per-node={ranks} -m tvo_cli train … starts {ranks} processes."
        raise UserError("--ranks", ranks, "is for --dry-run.", remedy)
    raise typer.Exit(_launch_training(words, debug))


def _launch_training(words: list[str], debug: bool) -> int:
    """Run it in this process, or in this one of several; return the exit code."""
    place = launched_process()
    if place.leads:
        from tvo_cli.cli.startup_message import announce_loading

        announce_loading("tvo train", words)
    if place.count > 1:
        from tvo_cli.cli.launched_ranks import launch_on_ranks

        return launch_on_ranks(place, _run_training, "train", words, program="tvo train", debug=debug)
    from tvo_cli.cli.launch import launch

    return launch(_run_training, "train", words, program="tvo train", debug=debug)


def _run_training(config: DictConfig, ranks: Ranks | None = None) -> dict[str, Any]:
    """Train by a config, and print the run's card."""
    from tvo_cli.job.training import train_and_report

    return train_and_report(config, partial(print, flush=True), ranks)
