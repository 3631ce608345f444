"""The live panel of the console: steps, curves and readings, at every width from 40 columns on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tvo_cli import escaping
from tvo_cli.tracking.terminal.console_numbers import ABSENT, format_console_reading, format_duration, sparkline

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from tvo_cli.tracking.terminal.console import ConsoleRunProgress

WIDEST = 100  # columns; beyond, curve and numbers would only move apart
NARROW = 66  # columns inside the frame below which the numbers stand in one column

CURVES = (
    ("reward", "reward/mean"),
    ("entropy", "policy/entropy"),
    ("gradient variance", "gradient/variance"),
    ("binary TV", "policy/tv"),
)
NUMBERS = (
    ("accuracy", "accuracy/fresh"),
    ("KL to reference", "policy/kl_ref"),
    ("viscosity ν", "thermo/viscosity"),
    ("temperature", "thermo/temperature"),
)
NOT_OF_EVERY_RUN = ("thermo/viscosity", "thermo/temperature")  # shown once they have had a value other than 0

Row = tuple[str, str, "RenderableType"]


def live_panel(progress: ConsoleRunProgress) -> RenderableType:
    """Return the live panel of a run's progress."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    run = progress.run
    lines: list[RenderableType] = [_StepBar(progress), _PanelReadings(progress)]
    if progress.evaluation:
        lines.append(Text(f"evaluation  {progress.evaluation}", style="bold"))
    lines += [Text(f"⚠ {escaping.terminal(text)}", style="yellow") for text in list(progress.alerts)]
    if progress.notice:
        lines.append(Text(escaping.terminal(progress.notice), style="bold yellow"))
    title = Text(escaping.terminal(f" {run.group} · {run.model} · {run.dataset} "), style="bold")
    folder = Text(escaping.terminal(run.folder), style="dim")
    return Panel(Group(*lines), title=title, title_align="left", subtitle=folder, width=WIDEST)


@dataclass(frozen=True, slots=True)
class _StepBar:
    """The panel's bar of steps done and to do, and the time; below each other where there is no room."""

    progress: ConsoleRunProgress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        done, steps = self.progress.step, self.progress.run.steps
        times = _panel_times(self.progress)
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True, justify="right")
        narrow = options.max_width < NARROW
        grid.add_row(f"step {done}/{steps}", ProgressBar(total=max(steps, 1), completed=done), "" if narrow else times)
        yield grid
        if narrow:
            yield times


def _panel_times(progress: ConsoleRunProgress) -> str:
    """Return what the steps took and will take; before the first one, how long ago the run began."""
    if not progress.latest:
        return f"begun {format_duration(progress.elapsed)} ago"
    return f"trained {format_duration(progress.trained)}, {format_duration(progress.remaining)} left"


@dataclass(frozen=True, slots=True)
class _PanelReadings:
    """The panel's readings, two beside each other where there is room; curves take what is left."""

    progress: ConsoleRunProgress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        drawn, bare = _rows_with_curve(self.progress), _rows_without_curve(self.progress)
        if options.max_width < NARROW:
            yield _panel_grid([[label, value, curve] for label, value, curve in [*drawn, *bare]], "lrc")
            return
        nothing: Row = ("", "", "")
        count = max(len(drawn), len(bare))
        pairs = zip(drawn + [nothing] * (count - len(drawn)), bare + [nothing] * (count - len(bare)), strict=True)
        yield _panel_grid([[*one, *other[:2]] for one, other in pairs], "lrclr")


def _panel_grid(rows: list[list[RenderableType]], columns: str) -> Table:
    """Return the panel's rows in columns: l left, r right, c a curve, which narrows first."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2 if len(columns) > 3 else 1), expand=True)
    for column in columns:
        if column == "c":
            grid.add_column(no_wrap=True, ratio=1, overflow="crop")
        else:
            grid.add_column(no_wrap=True, justify="right" if column == "r" else "left")
    for row in rows:
        grid.add_row(*row)
    return grid


def _rows_with_curve(progress: ConsoleRunProgress) -> list[Row]:
    """Return the panel's rows with a curve, and the tokens a second."""
    latest = progress.latest
    rows: list[Row] = [
        (label, format_console_reading(name, latest.get(name)), _PanelCurve(list(progress.history.get(name, ()))))
        for label, name in CURVES
    ]
    pace = "time/tokens_per_second"
    return [*rows, ("tokens/s", format_console_reading(pace, latest.get(pace)), "")]


def _rows_without_curve(progress: ConsoleRunProgress) -> list[Row]:
    """Return the panel's rows without a curve, those of this run's algorithm."""
    latest = progress.latest
    chosen = [(label, name) for label, name in NUMBERS if name not in NOT_OF_EVERY_RUN or name in progress.used]
    rows: list[Row] = [(label, format_console_reading(name, latest.get(name)), "") for label, name in chosen]
    return [*rows, ("length", _response_length_text(latest), "")]


@dataclass(frozen=True, slots=True)
class _PanelCurve:
    """A sparkline as wide as its column of the panel: on a narrow terminal the oldest values go."""

    values: list[float]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        yield Text(sparkline(self.values, options.max_width), style="cyan")


def _response_length_text(latest: Mapping[str, float]) -> str:
    length, truncated = latest.get("response/length"), latest.get("response/truncated")
    if length is None:
        return ABSENT
    return f"{length:.1f}" + (f" ({truncated:.0%} cut)" if truncated else "")
