"""`tvo eval`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from tvo_cli.cli.words import UNTOUCHED, Debug, EvalOverrides

if TYPE_CHECKING:
    from omegaconf import DictConfig


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("eval", context_settings=UNTOUCHED)(evaluate)


def evaluate(overrides: EvalOverrides = None, debug: Debug = False) -> None:
    """Evaluate a model on held-out problems: pass@1 with its interval."""
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run, "eval", list(overrides or ()), program="tvo eval", debug=debug))


def _run(config: DictConfig) -> dict[str, Any]:
    from tvo_cli.cli.render import summary_lines
    from tvo_cli.cli.train import quiet
    from tvo_cli.experiment import evaluate as run_evaluation

    quiet()
    summary: dict[str, Any] = run_evaluation(config)
    print(summary_lines("eval", summary, config.output_dir), flush=True)
    return summary
