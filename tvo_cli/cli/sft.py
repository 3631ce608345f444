"""`tvo sft`: supervised fine-tuning on demonstrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tvo_cli.cli.override_args import (
    PASS_ARGUMENTS_THROUGH,
    ConfigDir,
    Debug,
    Multirun,
    SftOverrides,
    Shown,
    hydra_arguments,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig


def add_to(app: typer.Typer) -> None:
    """Register `tvo sft`."""
    app.command(context_settings=PASS_ARGUMENTS_THROUGH)(sft)


def sft(
    overrides: SftOverrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Fine-tune on worked solutions or conversations: a start for a base model."""
    from tvo_cli.cli.startup_message import announce_loading

    words = hydra_arguments(overrides, multirun, cfg, config_dir)
    announce_loading("tvo sft", words)
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run_sft, "sft", words, program="tvo sft", debug=debug))


def _run_sft(config: DictConfig) -> dict[str, Any]:
    """Fine-tune by a config, print the loss, and print the summary."""
    from functools import partial

    from tvo_cli.cli.printing import command_summary_lines, messages_printed
    from tvo_cli.cli.progress_bars import step_progress_lines
    from tvo_cli.experiment.early_checks import check_sft_early

    check_sft_early(config)
    from tvo_cli.experiment import sft as run_sft

    with messages_printed():
        summary: dict[str, Any] = run_sft(config, partial(step_progress_lines, what="loss"))
    print(command_summary_lines("sft", summary, config.output_dir), flush=True)
    return summary
