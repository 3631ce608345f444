"""The end of a run: its figure, and its card, which is also kept in the run folder."""

from __future__ import annotations

from pathlib import Path
from shutil import get_terminal_size

from tvo_cli.report import card, run_plot, runs
from tvo_cli.tracking.run_folder import write_text


def close(folder: Path | str) -> str:
    """Draw the figure, write card.txt; the card, as wide as the terminal allows."""
    run = runs.load(folder)
    run_plot.draw(run)
    write_text(run.folder / "card.txt", card.text(run))
    return card.text(run, min(get_terminal_size((card.WIDTH, 24)).columns, card.WIDTH))
