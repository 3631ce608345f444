"""The console of a run: a live panel on a terminal, aligned lines in a job's log."""

from __future__ import annotations

import math
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from tvo_cli import escaping, standard_streams
from tvo_cli.errors import UserError
from tvo_cli.tracking.mirrors.mirror import RunInfo
from tvo_cli.tracking.terminal.console_numbers import format_console_reading, format_duration, format_plain_number
from tvo_cli.tracking.terminal.live_panel import live_panel
from tvo_cli.tracking.terminal.terminal_echo import without_echo

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live as RichLive

NAMED_PASS_RATE = re.compile(r"eval/[^/]+/pass@1")  # of a test set, or of a source of a mixture
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
class ConsoleRunProgress:
    """The progress of a run, as every console display shows it."""

    run: RunInfo
    clock: Callable[[], float] = time.monotonic
    step: int = 0
    latest: dict[str, float] = field(default_factory=dict)
    history: dict[str, deque[float]] = field(default_factory=dict)
    evaluation: str = ""
    alerts: deque[str] = field(default_factory=lambda: deque(maxlen=ALERTS_SHOWN))
    notice: str = ""  # what somebody has to know now
    trained: float = 0.0  # seconds of all steps, those of an earlier process too: what the card says
    used: set[str] = field(default_factory=set)  # metrics that have had a value other than 0
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
            self.trained += metrics["time/step"]
        self.used.update(name for name, value in metrics.items() if value)
        for name in ("reward/mean", "policy/entropy", "gradient/variance", "policy/tv"):
            if name in metrics:
                self.history.setdefault(name, deque(maxlen=256)).append(metrics[name])

    def add_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take in an evaluation."""
        if "eval/pass@1" not in metrics:
            self.evaluation = f"{_pass_rates_of_test_sets(metrics)} after step {step}"
            return
        low, high = metrics.get("eval/pass@1_low"), metrics.get("eval/pass@1_high")
        interval = (
            f" [{format_plain_number(low)}, {format_plain_number(high)}]"
            if low is not None and high is not None
            else ""
        )
        others = "".join(f", {one}" for one in [_pass_rates_of_test_sets(metrics)] if one)
        own = f"pass@1 {format_plain_number(metrics.get('eval/pass@1'))}{interval}"
        self.evaluation = f"{own}{others} after step {step}"

    @property
    def elapsed(self) -> float:
        """Seconds since the start of this process's part of the run, evaluations included."""
        return self.clock() - self._begun

    @property
    def remaining(self) -> float:
        """Seconds to the last step at the pace of the last steps; not a number before there is a pace."""
        if not self._paces:
            return math.nan
        return max(self.run.steps - self.step, 0) * sum(self._paces) / len(self._paces)


def _pass_rates_of_test_sets(metrics: Mapping[str, float]) -> str:
    """Return pass@1 of each named test set: `aime24 0.1, math500 0.52`."""
    found = {name.split("/")[1]: value for name, value in metrics.items() if NAMED_PASS_RATE.fullmatch(name)}
    return ", ".join(f"{name} {format_plain_number(value)}" for name, value in found.items())


class ConsoleDisplay(Protocol):
    """The protocol of a console display."""

    def start(self, progress: ConsoleRunProgress) -> None:
        """Introduce the run."""

    def step(self, progress: ConsoleRunProgress) -> None:
        """Show a step."""

    def evaluated(self, progress: ConsoleRunProgress) -> None:
        """Show an evaluation."""

    def say(self, text: str) -> None:
        """Show a line between the steps."""

    def announce(self, text: str) -> None:
        """Show a line at once, from a signal handler, which may have come in the middle of another line."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class SilentDisplay:
    """A console display that shows nothing."""

    def start(self, progress: ConsoleRunProgress) -> None:
        """Nothing."""

    step = evaluated = start

    def say(self, text: str) -> None:
        """Nothing."""

    def announce(self, text: str) -> None:
        """On standard error all the same: somebody has asked."""
        standard_streams.write_to_stderr(f"tvo: {text}")

    def close(self) -> None:
        """Nothing."""


class PlainConsoleDisplay:
    """A console display of one aligned line a step, or one every so many seconds."""

    def __init__(self, stream: TextIO | None = None, every_seconds: float = 0.0) -> None:
        self._stream, self._every, self._last = stream or sys.stdout, every_seconds, -math.inf
        self._shown = -1

    def start(self, progress: ConsoleRunProgress) -> None:
        """The run and the headings."""
        run = progress.run
        self.say(f"{run.name}: {run.group} · {run.model} · {run.dataset} · {run.steps} steps → {run.folder}")
        headings = "".join(f"  {heading:>{width}}" for heading, _, width in COLUMNS)
        self.say(f"{'step':>{self._width(progress)}}{headings}  {'left':>7}")

    def step(self, progress: ConsoleRunProgress) -> None:
        """The line of a step, when it is due, once: an alert has the step before it drawn anew."""
        now, ends = progress.clock(), progress.step >= progress.run.steps
        if progress.step == self._shown or (now - self._last < self._every and not ends):
            return
        self._last, self._shown = now, progress.step
        values = "".join(
            f"  {format_console_reading(name, progress.latest.get(name)):>{width}}" for _, name, width in COLUMNS
        )
        place = f"{progress.step}/{progress.run.steps}"
        self.say(f"{place:>{self._width(progress)}}{values}  {format_duration(progress.remaining):>7}")

    def evaluated(self, progress: ConsoleRunProgress) -> None:
        """The line of an evaluation."""
        self.say(f"{'':>{self._width(progress)}}  evaluation: {progress.evaluation}")

    def say(self, text: str) -> None:
        """A line, flushed: a job's log is read while it runs."""
        print(escaping.terminal(text), file=self._stream, flush=True)

    def announce(self, text: str) -> None:
        """On standard error, past the line that may be under way."""
        standard_streams.write_to_stderr(f"tvo: {text}")

    def close(self) -> None:
        """Nothing is left open."""

    @staticmethod
    def _width(progress: ConsoleRunProgress) -> int:
        return max(2 * len(str(progress.run.steps)) + 1, len("step"))


class LiveConsoleDisplay:
    """The display of a console on a terminal: a panel that is redrawn in place, four times a second."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._live: RichLive | None = None
        self._progress: ConsoleRunProgress | None = None
        self._terminal = ExitStack()

    def start(self, progress: ConsoleRunProgress) -> None:
        """Open the panel."""
        from rich import live
        from rich.console import Console

        self._progress, self._console = progress, self._console or Console()
        self._terminal.enter_context(without_echo(self._console.file))
        self._live = live.Live(
            get_renderable=lambda: live_panel(progress),
            console=self._console,
            refresh_per_second=4,
            transient=False,
            redirect_stderr=standard_streams.can_standard_stream_redraw(
                sys.stderr
            ),  # one that goes into a file stays there
        )
        self._live.start()

    def step(self, progress: ConsoleRunProgress) -> None:
        """Draw anew."""
        if self._live is not None:
            self._live.refresh()

    evaluated = step

    def say(self, text: str) -> None:
        """A line above the panel."""
        if self._console is not None:
            self._console.print(escaping.terminal(text), markup=False, highlight=False)

    def announce(self, text: str) -> None:
        """In the panel, at its next refresh: a line of its own would tear it."""
        if self._progress is not None and self._console is not None and self._console.is_terminal:
            self._progress.notice = text
        else:
            standard_streams.write_to_stderr(f"tvo: {text}")

    def close(self) -> None:
        """Leave the last panel standing and the terminal as it was."""
        if self._live is not None and self._progress is not None:
            self._progress.notice = ""
            self._live.stop()
            self._live = None
        self._terminal.close()


def choose_display(style: str = "auto", every_seconds: float = 0.0) -> ConsoleDisplay:
    """Return the console display that `logger.console` asks for; `auto` is live on a terminal."""
    if style not in STYLES:
        raise UserError("logger.console", style, "there is no such form.", f"Forms: {', '.join(STYLES)}.")
    if style == "off":
        return SilentDisplay()
    return (
        LiveConsoleDisplay()
        if style == "live" or (style == "auto" and standard_streams.can_standard_stream_redraw(sys.stdout))
        else PlainConsoleDisplay(every_seconds=every_seconds)
    )
