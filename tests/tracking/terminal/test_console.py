"""What a person sees."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.tracking import Tracker
from tvo_cli.tracking.mirrors.mirror import RunInfo
from tvo_cli.tracking.terminal import console
from tvo_cli.tracking.terminal.console import ConsoleRunProgress, PlainConsoleDisplay
from tvo_cli.tracking.terminal.console_numbers import (
    format_console_reading,
    format_duration,
    format_plain_number,
    sparkline,
)
from tvo_cli.tracking.terminal.live_panel import live_panel

RUN = RunInfo("tvo-s0", "tvo", "tiny", "arithmetic", 120, Path("outputs/train/tvo-s0"), {})
ROW = {
    "reward/mean": 0.4567,
    "accuracy/fresh": 0.5,
    "policy/entropy": 0.61,
    "gradient/variance": 3.2e-7,
    "policy/tv": 0.0123,
    "time/tokens_per_second": 48213.0,
    "time/step": 2.0,
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(clock: Clock | None = None) -> ConsoleRunProgress:
    made = ConsoleRunProgress(RUN, clock or Clock())
    made.start()
    return made


def test_plain_lines_are_aligned_whatever_the_values() -> None:
    stream, state = io.StringIO(), progress()
    plain = PlainConsoleDisplay(stream)
    plain.start(state)
    extremes: tuple[dict[str, float], ...] = (
        {},
        ROW,
        {name: math.nan for name in ROW},
        {name: -1.23456e99 for name in ROW},
        {name: 99999.0 for name in ROW},
    )
    for step, row in zip((1, 9, 10, 99, 120), extremes, strict=True):
        state.add(step, row)
        plain.step(state)
    lines = stream.getvalue().splitlines()[1:]
    assert len(lines) == 6 and {len(line) for line in lines} == {len(lines[0])}
    ends = [match.end() for match in re.finditer(r"\S+", lines[0])]
    for line in lines[1:]:
        assert [match.end() for match in re.finditer(r"\S+", line)] == ends
    assert "0.457" in lines[2] and "3.20e-07" in lines[2] and "48,213" in lines[2] and "9/120" in lines[2]


def test_plain_lines_may_be_rarer_but_the_last_step_is_shown() -> None:
    stream, clock = io.StringIO(), Clock()
    state, plain = progress(clock), PlainConsoleDisplay(stream, every_seconds=10.0)
    for step in range(1, 121):
        clock.now += 1.0
        state.add(step, ROW)
        plain.step(state)
    shown = [int(line.split("/")[0]) for line in stream.getvalue().splitlines()]
    assert shown == [*range(1, 120, 10), 120]


@pytest.mark.parametrize("every_seconds", [0.0, 10.0])
def test_an_alert_repeats_no_line(
    tmp_path: Path,
    make_config: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    every_seconds: float,
) -> None:
    """Four steps, alerts before the third, after the last and twice in a row."""
    config = make_config(console="plain", every_seconds=every_seconds)
    with Tracker(config, tmp_path / "run") as tracker:
        for step in (1, 2, 3, 4):
            if step == 3:
                tracker.alert("zero_advantage", "first", step=3)
                tracker.alert("zero_advantage", "second", step=3)
            tracker.log(step, ROW)
        tracker.alert("checkpoint", "third", step=4)
    lines = capsys.readouterr().out.splitlines()
    steps = [line.split("/")[0].strip() for line in lines if re.match(r" *\d/4 ", line)]
    assert steps == (["1", "2", "3", "4"] if not every_seconds else ["1", "4"])
    assert [line for line in lines if "⚠" in line] == [
        "⚠ zero_advantage at step 3: first", "⚠ zero_advantage at step 3: second", "⚠ checkpoint at step 4: third"
    ]  # fmt: skip


def test_what_is_left_is_the_pace_times_the_steps() -> None:
    state = progress()
    assert math.isnan(state.remaining)
    state.add(20, {"time/step": 2.0})
    state.add(21, {"time/step": 4.0})
    assert state.remaining == pytest.approx(99 * 3.0)
    state.add(120, {"time/step": 4.0})
    assert state.remaining == 0.0


@pytest.mark.parametrize("width", [40, 60, 72, 100, 160])
def test_the_panel_keeps_its_numbers_at_every_width(width: int) -> None:
    text = shown(half_way(), width)
    for wanted in ("step 60/120", "1.000", "0.789", "48,213", "14.0 (25% cut)", "2:00 left", "0.750 [0.700, 0.800]"):
        assert wanted in (text if width > 40 else " ".join(re.sub("[│\n]", " ", text).split())), (wanted, text)
    assert "entropy_floor: [bold]not markup" in text
    [curve] = [line for line in text.splitlines() if "reward" in line]
    assert "█" in curve  # the newest and highest value, also where the curve is cut
    assert max(map(len, text.splitlines())) <= width


def half_way() -> ConsoleRunProgress:
    """Step 60 of 120 with all that a panel can show: an evaluation, an alert, a reward that rises to 1."""
    state = progress()
    more = {"policy/kl_ref": 0.789, "response/truncated": 0.25, "response/length": 14.0}
    for step in range(1, 61):
        state.add(step, {**ROW, **more, "reward/mean": step / 60})
    state.add_evaluation(60, {"eval/pass@1": 0.75, "eval/pass@1_low": 0.7, "eval/pass@1_high": 0.8})
    state.alerts.append("entropy_floor: [bold]not markup")
    return state


def shown(state: ConsoleRunProgress, width: int = 100) -> str:
    from rich.console import Console

    screen = Console(file=io.StringIO(), width=width, record=True)
    screen.print(live_panel(state))
    return screen.export_text()


@pytest.mark.parametrize("width", [1, 5, 20, 39])
def test_no_width_breaks_the_panel(width: int) -> None:
    state = progress()
    state.add(1, ROW)
    assert shown(state, width)


def test_the_panel_shows_what_the_algorithm_has() -> None:
    state = progress()
    state.add(1, {**ROW, "thermo/temperature": 0.0})
    assert "temperature" not in shown(state) and "viscosity" not in shown(state)
    state.add(2, {**ROW, "thermo/temperature": 0.01, "thermo/viscosity": 2.5})
    assert "0.0100" in shown(state) and "2.50" in shown(state)
    state.add(3, {**ROW, "thermo/temperature": 0.0, "thermo/viscosity": 2.5})
    assert "temperature" in shown(state), "it was in use: the line stays where it is"


def test_the_curves_take_the_room_between_the_numbers() -> None:
    state = progress()
    for step in range(1, 100):
        state.add(step, {**ROW, "reward/mean": step / 100})
    [line] = [line for line in shown(state, 200).splitlines() if "reward" in line]
    assert len(line) <= 100 and "   " not in line.partition("accuracy")[0].partition("0.990")[2]


def test_the_time_is_that_of_the_steps_as_on_the_card() -> None:
    clock = Clock()
    state = progress(clock)
    clock.now += 7.0
    assert "begun 7s ago" in shown(state)
    state.trained = 30.0  # of an earlier process
    state.add(1, {"time/step": 10.0})
    clock.now += 100.0  # an evaluation
    assert "trained 40s, 19:50 left" in shown(state)


READINGS = [
    ("time/tokens_per_second", 574.72, "575"),
    ("time/tokens_per_second", 1476.2, "1,476"),
    ("time/tokens_per_second", 4.8881, "4.89"),
    ("gradient/variance", 0.0, "0"),
    ("gradient/variance", 0.00123, "0.00123"),
    ("gradient/variance", 3.2e-7, "3.20e-07"),
    ("gradient/variance", 123.4, "123"),
    ("gradient/variance", 999.7, "1,000"),
    ("policy/kl_ref", -9.97e-11, "≈0"),
    ("policy/kl_ref", -2e-3, "-0.00200"),
    ("policy/kl_ref", math.nan, "nan"),
    ("reward/mean", 0.5, "0.500"),
    ("reward/mean", None, "—"),
]


@pytest.mark.parametrize(("name", "value", "said"), READINGS)
def test_a_reading_has_the_digits_that_mean_something(name: str, value: float | None, said: str) -> None:
    assert format_console_reading(name, value) == said


def test_live_opens_and_closes() -> None:
    from rich.console import Console

    stream = io.StringIO()
    live = console.LiveConsoleDisplay(Console(file=stream, force_terminal=True, width=90))
    state = progress()
    live.start(state)
    state.add(1, ROW)
    live.step(state)
    live.say("a line [with brackets]")
    live.close()
    live.close()
    assert "a line [with brackets]" in stream.getvalue() and "step 1/120" in stream.getvalue()


def test_auto_is_plain_without_a_terminal() -> None:
    assert isinstance(console.choose_display("auto"), PlainConsoleDisplay)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UserError, match=r"logger\.console=loud: .*auto, live, plain, off"):
        console.choose_display("loud")


def test_sparkline_spans_its_values_and_leaves_gaps() -> None:
    assert sparkline([0, 7, 3.5, math.nan, 7]) == "▁█▅ █"
    assert sparkline([1, 1]) == "▅▅" and sparkline([]) == "" and sparkline([math.nan]) == ""
    assert sparkline([9, 0, 1], width=2) == "▁█"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0s"), (59.4, "59s"), (59.6, "1:00"), (3599, "59:59"), (7387, "2:03:07"), (math.nan, "—")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.500"), (0.0, "0.000"), (4e-7, "4.00e-07"), (48213.4, "48,213"), (1e6, "1.00e+06"), (None, "—")],
)
def test_figures(value: float | None, shown: str) -> None:
    assert format_plain_number(value) == shown


def test_what_others_wrote_is_shown_and_not_obeyed() -> None:
    from rich.console import Console

    hostile = RunInfo("r\x1b[2J", "tvo", "m\r[red]x[/red]", "d\x9b1m", 3, Path("a\u202eb"), {})
    made = ConsoleRunProgress(hostile, Clock())
    made.start()
    made.alerts.append("drop: \x1b]0;t\x07\nnew line")
    stream, seen = io.StringIO(), io.StringIO()
    PlainConsoleDisplay(stream).start(made)
    PlainConsoleDisplay(stream).say("answer\b\b\x1b[1A")
    Console(file=seen, width=100).print(live_panel(made))
    assert r"r\x1b[2J: tvo · m\r[red]x[/red] · d\x9b1m · 3 steps → a\u202eb" in stream.getvalue()
    assert r"answer\x08\x08\x1b[1A" in stream.getvalue()
    assert r"m\r[red]x[/red] · d\x9b1m" in seen.getvalue() and r"drop: \x1b]0;t\x07\nnew line" in seen.getvalue()
    assert all(line.isprintable() for text in (stream, seen) for line in text.getvalue().split("\n"))
