"""The end of a run: its figure, and its card, which is also kept in the run folder."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.report import card, figures, runs
from tvo_cli.tracking.run_folder import write_text


def close(folder: Path | str) -> str:
    """Draw the figure, write card.txt; the card."""
    run = runs.load(folder)
    figures.draw(run)
    text = card.text(run)
    write_text(run.folder / "card.txt", text)
    return text
