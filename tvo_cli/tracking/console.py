"""What a person sees while a run goes on: a live panel on a terminal, aligned lines in a job's log."""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from tvo_cli import escaping
from tvo_cli.errors import UserError
from tvo_cli.tracking.mirror import RunInfo
from tvo_cli.tracking.spark import ABSENT, duration, figure, sparkline

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.live import Live as RichLive
    from rich.table import Table

STYLES = ("auto", "live", "plain", "off")
ALERTS_SHOWN = 3
PACES = 20  # steps over which the pace is taken

# heading, metric, width of the plain line's columns: `-1.23e-10` fits
COLUMNS = (
    ("reward", "reward/mean", 9),
    ("accuracy", "accuracy/fresh", 9),
    ("entropy", "policy/entropy", 9),
    ("variance", "gradient/variance", 9),
    ("viscosity", "thermo/viscosity", 9),
    ("tv", "policy/tv", 9),
    ("kl_ref", "policy/kl_ref", 9),
    ("tokens/s", "time/tokens_per_second", 9),
)


@dataclass(slots=True)
class Progress:
    """What both forms of the console know."""

    run: RunInfo
    clock: Callable[[], float] = time.monotonic
    step: int = 0
    latest: dict[str, float] = field(default_factory=dict)
    history: dict[str, deque[float]] = field(default_factory=dict)
    evaluation: str = ""
    alerts: deque[str] = field(default_factory=lambda: deque(maxlen=ALERTS_SHOWN))
    _begun: float = math.nan
    _paces: deque[float] = field(default_factory=lambda: deque(maxlen=PACES))  # seconds of the last steps

    def start(self) -> None:
        """Start the clock."""
        self._begun = self.clock()

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take in a step."""
        self.step, self.latest = step, dict(metrics)
        if math.isfinite(metrics.get("time/step", math.nan)):
            self._paces.append(metrics["time/step"])
        for name in ("reward/mean", "policy/entropy", "gradient/variance", "policy/tv"):
            if name in metrics:
                self.history.setdefault(name, deque(maxlen=256)).append(metrics[name])

    def add_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take in an evaluation."""
        low, high = metrics.get("eval/pass@1_low"), metrics.get("eval/pass@1_high")
        interval = f" [{figure(low)}, {figure(high)}]" if low is not None and high is not None else ""
        self.evaluation = f"pass@1 {figure(metrics.get('eval/pass@1'))}{interval} after step {step}"

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._begun

    @property
    def remaining(self) -> float:
        """Seconds to the last step at the pace of the last steps; not a number before there is a pace."""
        if not self._paces:
            return math.nan
        return max(self.run.steps - self.step, 0) * sum(self._paces) / len(self._paces)


class Display(Protocol):
    """A form of the console."""

    def start(self, progress: Progress) -> None:
        """Introduce the run."""

    def step(self, progress: Progress) -> None:
        """Show a step."""

    def evaluated(self, progress: Progress) -> None:
        """Show an evaluation."""

    def say(self, text: str) -> None:
        """Show a line between the steps."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Silent:
    """Shows nothing."""

    def start(self, progress: Progress) -> None:
        """Nothing."""

    step = evaluated = start

    def say(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Plain:
    """One aligned line a step, or one every so many seconds; the first and the last step always."""

    def __init__(self, stream: TextIO | None = None, every_seconds: float = 0.0) -> None:
        self._stream, self._every, self._last = stream or sys.stdout, every_seconds, -math.inf
        self._shown = -1

    def start(self, progress: Progress) -> None:
        """The run and the headings."""
        run = progress.run
        self.say(f"{run.name}: {run.group} · {run.model} · {run.dataset} · {run.steps} steps → {run.folder}")
        headings = "".join(f"  {heading:>{width}}" for heading, _, width in COLUMNS)
        self.say(f"{'step':>{self._width(progress)}}{headings}  {'left':>7}")

    def step(self, progress: Progress) -> None:
        """The line of a step, when it is due, once: an alert has the step before it drawn anew."""
        now, ends = progress.clock(), progress.step >= progress.run.steps
        if progress.step == self._shown or (now - self._last < self._every and not ends):
            return
        self._last, self._shown = now, progress.step
        values = "".join(f"  {_cell(progress.latest.get(name)):>{width}}" for _, name, width in COLUMNS)
        place = f"{progress.step}/{progress.run.steps}"
        self.say(f"{place:>{self._width(progress)}}{values}  {duration(progress.remaining):>7}")

    def evaluated(self, progress: Progress) -> None:
        """The line of an evaluation."""
        self.say(f"{'':>{self._width(progress)}}  evaluation: {progress.evaluation}")

    def say(self, text: str) -> None:
        """A line, flushed: a job's log is read while it runs."""
        print(escaping.terminal(text), file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left open."""

    @staticmethod
    def _width(progress: Progress) -> int:
        return max(2 * len(str(progress.run.steps)) + 1, len("step"))


def _cell(value: float | None) -> str:
    return figure(value) if value is not None else ABSENT


class Live:
    """A panel that is redrawn in place."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._live: RichLive | None = None

    def start(self, progress: Progress) -> None:
        """Open the panel."""
        from rich import live
        from rich.console import Console

        self._console = self._console or Console()
        self._live = live.Live(panel(progress), console=self._console, refresh_per_second=4, transient=False)
        self._live.start()

    def step(self, progress: Progress) -> None:
        """Draw anew."""
        if self._live is not None:
            self._live.update(panel(progress))

    evaluated = step

    def say(self, text: str) -> None:
        """A line above the panel."""
        if self._console is not None:
            self._console.print(escaping.terminal(text), markup=False, highlight=False)

    def close(self) -> None:
        """Leave the last panel standing and the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def panel(progress: Progress) -> RenderableType:
    """The live panel: where the run is, what it learns, how steady it is."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    run = progress.run
    lines: list[RenderableType] = [_bar(progress), _readings(progress)]
    if progress.evaluation:
        lines.append(Text(f"evaluation  {progress.evaluation}", style="bold"))
    lines += [Text(f"⚠ {escaping.terminal(text)}", style="yellow") for text in progress.alerts]
    title = Text(escaping.terminal(f" {run.group} · {run.model} · {run.dataset} "), style="bold")
    return Panel(
        Group(*lines), title=title, title_align="left", subtitle=Text(escaping.terminal(run.folder), style="dim")
    )


def _bar(progress: Progress) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    steps = progress.run.steps
    grid.add_row(
        f"step {progress.step}/{steps}",
        ProgressBar(total=max(steps, 1), completed=progress.step),
        f"{duration(progress.elapsed)} gone, {duration(progress.remaining)} left",
    )
    return grid


def _readings(progress: Progress) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2), expand=True)
    for column in ("left", "right", "curve", "left", "right"):  # the curve gives way on a narrow terminal
        if column == "curve":
            grid.add_column(no_wrap=True, ratio=1, overflow="crop")
        else:
            grid.add_column(no_wrap=True, justify="right" if column == "right" else "left")
    latest, history = progress.latest, progress.history
    rows = (
        ("reward", "reward/mean", "accuracy", "accuracy/fresh"),
        ("entropy", "policy/entropy", "viscosity ν", "thermo/viscosity"),
        ("gradient variance", "gradient/variance", "temperature", "thermo/temperature"),
        ("binary TV", "policy/tv", "KL to reference", "policy/kl_ref"),
    )
    for left, curve, right, number in rows:
        drawn = _Curve(list(history.get(curve, ())))
        grid.add_row(left, _cell(latest.get(curve)), drawn, right, _cell(latest.get(number)))
    grid.add_row("tokens/s", _cell(latest.get("time/tokens_per_second")), "", "length", _length(latest))
    return grid


@dataclass(frozen=True, slots=True)
class _Curve:
    """A sparkline as wide as its column: on a narrow terminal the oldest values go."""

    values: list[float]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        yield Text(sparkline(self.values, min(options.max_width, 48)), style="cyan")


def _length(latest: Mapping[str, float]) -> str:
    length, truncated = latest.get("response/length"), latest.get("response/truncated")
    if length is None:
        return ABSENT
    return f"{length:.1f}" + (f" ({truncated:.0%} cut)" if truncated else "")


def display(style: str = "auto", every_seconds: float = 0.0) -> Display:
    """The form of the console that `logger.console` asks for; `auto` is live on a terminal."""
    import os

    if style not in STYLES:
        raise UserError("logger.console", style, "there is no such form.", f"Forms: {', '.join(STYLES)}.")
    if style == "off":
        return Silent()
    terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Live() if style == "live" or (style == "auto" and terminal) else Plain(every_seconds=every_seconds)
