"""The figure and the card of a run, written at its end."""

from __future__ import annotations

from pathlib import Path
from shutil import get_terminal_size

from tvo_cli.report import next_commands, run_card, run_folder_reading, run_plot
from tvo_cli.tracking.atomic_files import write_json_atomically, write_text_atomically


def write_figure_and_card(folder: Path | str) -> str:
    """Draw the run's figure and write card.txt; return the card, as wide as the terminal allows."""
    run = run_folder_reading.load_run(folder)
    if not _is_figure_drawn(run.folder):
        run_plot.draw_run_figure(run)
    _add_next_commands(run)
    write_text_atomically(run.folder / "card.txt", run_card.card_text(run))
    return run_card.card_text(run, min(get_terminal_size((run_card.WIDTH, 24)).columns, run_card.WIDTH))


def _is_figure_drawn(folder: Path) -> bool:
    """Whether the figure has been drawn since the run ended: its mirrors were sent it."""
    figure, summary = folder / "figures" / "run.svg", folder / "summary.json"
    return figure.is_file() and summary.is_file() and figure.stat().st_mtime_ns > summary.stat().st_mtime_ns


def _add_next_commands(run: run_folder_reading.LoadedRun) -> None:
    """Write the commands of the card into summary.json too, for programs that read it."""
    if run.finished:
        commands = next_commands.next_commands(run, run_folder_reading.newest_policy(run.folder))
        told = {"next": [" ".join(words) for words in commands]}
        write_json_atomically(run.folder / "summary.json", {**run.summary, **told})
