"""`tvo variance`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import UNTOUCHED, ConfigDir, Debug, Multirun, Overrides, Shown, hydra_words

if TYPE_CHECKING:
    from omegaconf import DictConfig

HEADINGS = ("estimator", "normalised variance", "ratio", "projection", "bias²", "tr Cov", "batches")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(context_settings=UNTOUCHED)(variance)


def variance(
    overrides: Overrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Compare the gradient variance of estimators at the same parameters: tr Cov over the squared true gradient."""
    from tvo_cli.cli.startup_message import opening

    words = hydra_words(overrides, multirun, cfg, config_dir)
    opening("tvo variance", words)
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run, "variance", words, program="tvo variance", debug=debug, result=True))


def _run(config: DictConfig) -> dict[str, Any]:
    from pathlib import Path

    from rich.progress import Progress

    from tvo_cli.cli import render
    from tvo_cli.experiment import variance as run_variance
    from tvo_cli.tracking import run_folder
    from tvo_cli.tracking.terminal import without_echo

    with without_echo(sys.stdout), Progress(transient=True) as shown:
        task = shown.add_task("batches")
        rows = run_variance(config, lambda done, total: shown.update(task, completed=done, total=total))
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    run_folder.write_json(folder / "variance.json", {"model": str(config.model.path), "rows": rows})
    render.table(HEADINGS, [_cells(row, rows[0]["normalised"]) for row in rows], headed=True)
    print(f"written to {escaping.terminal(folder / 'variance.json')}")
    return {"rows": rows}


def _cells(row: dict[str, Any], first: float) -> list[str]:
    return [
        row["estimator"],
        f"{row['normalised']:.2f}",
        f"{row['normalised'] / first:.2f}",
        f"{row['projection']:.3f} ± {row['projection_error']:.3f}",
        f"{row['bias']:+.3f} ± {row['bias_error']:.3f}",
        f"{row['trace']:.4g}",
        str(row["batches"]),
    ]
