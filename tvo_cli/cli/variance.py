"""`tvo variance`: the gradient variance of estimators at the same parameters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import (
    PASS_ARGUMENTS_THROUGH,
    ConfigDir,
    Debug,
    Multirun,
    Overrides,
    Shown,
    hydra_arguments,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

HEADINGS = ("estimator", "normalised variance", "ratio", "projection", "bias²", "tr Cov", "|π − π_old|", "batches")


def add_to(app: typer.Typer) -> None:
    """Register `tvo variance`."""
    app.command(context_settings=PASS_ARGUMENTS_THROUGH)(variance)


def variance(
    overrides: Overrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Compare the gradient variance of estimators at the same parameters: tr Cov over the squared true gradient."""
    from tvo_cli.cli.startup_message import announce_loading

    words = hydra_arguments(overrides, multirun, cfg, config_dir)
    announce_loading("tvo variance", words)
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run_variance, "variance", words, program="tvo variance", debug=debug, result=True))


def _run_variance(config: DictConfig) -> dict[str, Any]:
    """Measure the gradient variance of each estimator, write variance.json, and print the table."""
    from pathlib import Path

    from rich.progress import Progress

    from tvo_cli.cli import printing
    from tvo_cli.experiment.early_checks import check_variance_early

    check_variance_early(config)
    from tvo_cli.experiment import variance as run_variance
    from tvo_cli.tracking import atomic_files
    from tvo_cli.tracking.terminal.terminal_echo import without_echo

    with without_echo(sys.stdout), Progress(transient=True) as shown:
        task = shown.add_task("batches")
        rows = run_variance(config, lambda done, total: shown.update(task, completed=done, total=total))
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    policies = {"model": str(config.model.path), "behaviour": config.behaviour}
    atomic_files.write_json_atomically(folder / "variance.json", policies | {"rows": rows})
    printing.print_table(HEADINGS, [_estimator_row(row, rows[0]["normalised"]) for row in rows], headed=True)
    print(f"written to {escaping.terminal(folder / 'variance.json')}")
    return {"rows": rows}


def _estimator_row(row: dict[str, Any], first: float) -> list[str]:
    """Return an estimator's row of the table of `tvo variance`."""
    return [
        row["estimator"],
        f"{row['normalised']:.2f}",
        f"{row['normalised'] / first:.2f}",
        f"{row['projection']:.3f} ± {row['projection_error']:.3f}",
        f"{row['bias']:+.3f} ± {row['bias_error']:.3f}",
        f"{row['trace']:.4g}",
        f"{row['displacement']:.4f}",
        str(row["batches"]),
    ]
