"""The end of a run: its figure and its card are written."""

from __future__ import annotations

from pathlib import Path
from shutil import get_terminal_size

from tvo_cli.report import run_card, run_loading, run_plot
from tvo_cli.tracking.atomic_files import write_text_atomically


def write_figure_and_card(folder: Path | str) -> str:
    """Draw the run's figure and write card.txt; return the card, as wide as the terminal allows."""
    run = run_loading.load_run(folder)
    run_plot.draw_run_figure(run)
    write_text_atomically(run.folder / "card.txt", run_card.card_text(run))
    return run_card.card_text(run, min(get_terminal_size((run_card.WIDTH, 24)).columns, run_card.WIDTH))
