"""`tvo sft`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tvo_cli.cli.override_args import UNTOUCHED, ConfigDir, Debug, Multirun, SftOverrides, Shown, hydra_words

if TYPE_CHECKING:
    from omegaconf import DictConfig


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(context_settings=UNTOUCHED)(sft)


def sft(
    overrides: SftOverrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Fine-tune on worked solutions: how the embedded start was made."""
    from tvo_cli.cli.startup_message import opening

    words = hydra_words(overrides, multirun, cfg, config_dir)
    opening("tvo sft", words)
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run, "sft", words, program="tvo sft", debug=debug))


def _run(config: DictConfig) -> dict[str, Any]:
    from tvo_cli.cli.render import counted, summary_lines
    from tvo_cli.cli.train import quiet
    from tvo_cli.experiment import sft as run_sft

    quiet()
    summary: dict[str, Any] = run_sft(config, counted(int(config.steps), "loss"))
    print(summary_lines("sft", summary, config.output_dir), flush=True)
    return summary
