"""A diagnosis on one screen of a terminal: the worst first, the first ones in full, the rest by name."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tvo_cli import escaping
from tvo_cli.diagnosis.diagnosis import HEALTHY, VERDICTS, Diagnosis
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.render import wording
from tvo_cli.tracking.terminal.console_numbers import sparkline

FULL, REMEDIES = 3, 3  # findings shown in full, and remedies of the second and later ones
MANY = 20  # runs of which each has a line: a screen has room for it
WIDTH, CURVE, BESIDE = 100, 48, 40  # characters: of a line, of a curve, of what is pasted from beside its words
PASTE = "cyan"  # the style of what is to be pasted
STYLES = {"critical": "bold red", "warning": "yellow", "healthy": "bold green", "unknown": "yellow"}


class TerminalLine(tuple[str, str]):
    """A line and its style for rich."""


def diagnosis_lines(diagnosis: Diagnosis, width: int = WIDTH) -> list[TerminalLine]:
    """Return the lines of one run's diagnosis, each with its style, escaped for a terminal."""
    found = [(escaping.terminal(text), style, indent) for text, style, indent in _terminal_lines(diagnosis)]
    return [
        TerminalLine((part, style))
        for text, style, indent in found
        for part in ([" " * indent + text] if style == PASTE else _wrapped(text, width, indent))
    ]


def runs_shown(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the runs that a screen has a line for, the worst first: of more than MANY, those that are not healthy."""
    ranked = sorted(diagnoses, key=lambda one: -VERDICTS.index(one.verdict))
    return ranked if len(ranked) <= MANY else [one for one in ranked if one.verdict != HEALTHY][:MANY]


def runs_not_shown(diagnoses: Sequence[Diagnosis]) -> str:
    """Return what is said of the runs without a line; empty where each has one."""
    if len(diagnoses) <= MANY:
        return ""
    healthy = sum(one.verdict == HEALTHY for one in diagnoses)
    more = len(diagnoses) - healthy - MANY
    rest = f" {more} more that are not are left out here: --format json has them." if more > 0 else ""
    return f"{healthy} of {len(diagnoses)} runs are healthy: no failure counts there.{rest}"


def runs_lines(diagnoses: Sequence[Diagnosis]) -> list[list[str]]:
    """Return the rows of the terminal's table of several runs: run, verdict, failures with their first steps."""
    return [
        [one.log.facts.name, one.verdict, ", ".join(f"{f.failure} since {f.first_step}" for f in one.findings[:FULL])]
        for one in diagnoses
    ]


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    first, later = " " * indent, " " * (indent + 2)
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False) or [""]


def _terminal_lines(diagnosis: Diagnosis) -> Iterator[tuple[str, str, int]]:
    yield wording.headline(diagnosis), STYLES[diagnosis.verdict], 0
    if wording.verdict_summary(diagnosis):
        yield wording.verdict_summary(diagnosis), "", 0
    for rank, finding in enumerate(diagnosis.findings[:FULL]):
        yield "", "", 0
        yield from _finding_lines(diagnosis, finding, None if rank == 0 else REMEDIES)
    rest = [f"{one.failure} ({one.severity}, since {one.first_step})" for one in diagnosis.findings[FULL:]]
    if rest:
        yield "", "", 0
        yield f"Also: {', '.join(rest)}.", "", 0
    for note in (wording.unexamined(diagnosis), *diagnosis.notes):
        if note:
            yield note, "dim", 0


def _finding_lines(diagnosis: Diagnosis, finding: Finding, most: int | None) -> Iterator[tuple[str, str, int]]:
    yield wording.title(finding), STYLES[finding.severity], 0
    yield wording.meaning(finding), "", 2
    yield finding.message, "", 2
    _, values = diagnosis.log.column(finding.metric)
    if len(values) > 1:
        yield f"{finding.metric} {sparkline(_thinned_sparkline(values, CURVE), CURVE)}", "", 2
    yield f"cost since then: {wording.cost_text(finding.cost)}", "", 2
    for number, remedy in enumerate(finding.remedies[:most], start=1):
        yield from _remedy_lines(number, remedy)


def _remedy_lines(number: int, remedy: Remedy) -> Iterator[tuple[str, str, int]]:
    """Yield the words, and what to paste: beside them where it is short, else in an unbroken line of its own."""
    paste = remedy.command or " ".join(remedy.overrides)
    if len(paste) <= BESIDE and not remedy.command:
        yield f"{number}. {remedy.text}{': ' if paste else ''}{paste}", "", 2
        return
    yield f"{number}. {remedy.text}:", "", 2
    yield paste, PASTE, 5


def _thinned_sparkline(values: Sequence[float], most: int) -> list[float]:
    """Return at most so many values of a finding's curve over its whole length, the last included."""
    if len(values) <= most:
        return list(values)
    return [values[round(at * (len(values) - 1) / (most - 1))] for at in range(most)]
