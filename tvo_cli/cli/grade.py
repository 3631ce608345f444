"""`tvo grade`: verdicts for any completions; no model, no torch."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, cast

import typer

from tvo_cli import escaping, signals, standard_streams
from tvo_cli.cli.progress_bars import GradingProgress
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from tvo_cli.reward.graded_rows import GradingSummary
    from tvo_cli.reward.grader import Grader
    from tvo_cli.reward.rows_to_grade import RowSource, RowToGrade


class GradeFormat(StrEnum):
    """The choices of `tvo grade --format`: what is written for a row."""

    json = "json"
    table = "table"


class GradeProfile(StrEnum):
    """The choices of `tvo grade --profile`: how answers are compared."""

    math = "math"
    aime = "aime"
    digits = "digits"


class GradeUnboxed(StrEnum):
    """The choices of `tvo grade --unboxed`: what a prediction without a box answers."""

    wrong = "wrong"
    stated = "stated"
    whole = "whole"


def add_to(app: typer.Typer) -> None:
    """Register `tvo grade`."""
    app.command("grade")(grade)


def grade(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Rows with gold and prediction: JSON, CSV, Parquet; - for a pipe.")
    ],
    out: Annotated[str, typer.Option(help="Write here instead of standard output, whole or not at all.")] = "-",
    format: Annotated[
        GradeFormat, typer.Option(help="A JSON line or a line of a table for each row.")
    ] = GradeFormat.json,
    profile: Annotated[GradeProfile, typer.Option(help="aime: integers from 0 to 999.")] = GradeProfile.math,
    scorer: Annotated[
        str | None, typer.Option(metavar="FILE.py:NAME", help="A function of your own that judges instead.")
    ] = None,
    unboxed: Annotated[
        GradeUnboxed,
        typer.Option(help="A prediction without a box: wrong; stated: what follows “answer is”, ####; whole."),
    ] = GradeUnboxed.wrong,
    bare: Annotated[bool, typer.Option("--bare", help="Short for --unboxed whole: predictions are answers.")] = False,
    gold: Annotated[str, typer.Option(help="The field that holds the gold, or the path to it (a.b).")] = "gold",
    prediction: Annotated[str, typer.Option(help="The field that holds the prediction.")] = "prediction",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows that cannot be read; name them on stderr.")
    ] = False,
    audit: Annotated[bool, typer.Option("--audit", help="Ask a second grader too; say where they differ.")] = False,
    workers: Annotated[int, typer.Option(min=0, help="Child processes; 0: one a processor, at most 8.")] = 0,
    deadline: Annotated[float, typer.Option(help="Seconds of processor time for one row.")] = 5.0,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Grade rows {gold, prediction}: each gets correct, extracted, reason; a summary on stderr."""
    from tvo_cli.reward.grader import Grader
    from tvo_cli.reward.own_scorers import checked_own_scorer
    from tvo_cli.reward.rows_to_grade import RowSource

    source = RowSource("standard input" if file == "-" else file, gold, prediction, profile.value)
    mode = GradeUnboxed.whole if bare else unboxed
    node = {"profile": profile.value, "unboxed": mode.value, "audit": audit, "workers": workers, "deadline": deadline}
    node |= {} if scorer is None else {"scorer": checked_own_scorer("--scorer", scorer)}
    grader = Grader(node, scorer_key="--scorer")
    with _stop_grading_at_sigterm(), _open_input(file) as stream, grader, _open_output(out) as sink:
        _grade_rows(stream, source, grader, sink, format, skip_bad)


def _grade_rows(
    stream: IO[bytes], source: RowSource, grader: Grader, sink: IO[bytes], format: GradeFormat, skip_bad: bool
) -> None:
    """Grade every row of the input, write the verdicts, and print a summary on stderr."""
    from tvo_cli.reward.graded_rows import (
        GradingSummary,
        grade_in_chunks,
        graded_row_as_json,
        graded_row_as_table_line,
        graded_table_head,
    )
    from tvo_cli.reward.rows_to_grade import read_readable_rows, read_rows

    total = None if skip_bad else _check_and_count_rows(stream, source)
    summary, progress, audit = GradingSummary(), GradingProgress(total), grader.settings.audit
    found = (
        read_readable_rows(stream, source, partial(_count_and_name_bad_row, summary))
        if skip_bad
        else read_rows(stream, source)
    )
    rows = _refusing_none(found, source, summary)
    line_of = graded_row_as_json if format is GradeFormat.json else graded_row_as_table_line
    if format is GradeFormat.table:
        sink.write(graded_table_head())
    for chunk in grade_in_chunks(rows, grader, summary):
        sink.writelines(line_of(row, verdict, audit=audit) for row, verdict in chunk)
        sink.flush()
        progress.show(summary)
    progress.clear()
    for line in (*summary.lines(), *(_audit_lines_of_grade_command(grader) if audit else ())):
        print(escaping.terminal(line), file=sys.stderr)


def _refusing_none(found: Iterator[RowToGrade], source: RowSource, summary: GradingSummary) -> Iterator[RowToGrade]:
    """Return the rows; UserError where there is none, and none was left out."""
    first = next(found, None)
    if first is None and not summary.left_out:
        raise UserError("FILE", source.name, "there are no rows to grade.", "Each line is an object: gold, prediction.")
    return found if first is None else chain([first], found)


def _count_and_name_bad_row(summary: GradingSummary, error: UserError) -> None:
    """Count a row that cannot be read, and name it on stderr (`--skip-bad`)."""
    summary.left_out += 1
    print(escaping.terminal(f"left out: {error.key} {error.value}: {error.problem}"), file=sys.stderr)


def _check_and_count_rows(stream: IO[bytes], source: RowSource) -> int | None:
    """Return the number of rows of a file, all read once: a bad row is named before any is graded.

    A pipe can be read only once: its bad line is told when it comes. None then.
    """
    from tvo_cli.reward.rows_to_grade import read_rows

    if not stream.seekable():
        return None
    start = stream.tell()
    total = sum(1 for _ in read_rows(stream, source))
    stream.seek(start)
    return total


def _audit_lines_of_grade_command(grader: Grader) -> Iterator[str]:
    """Yield the rate and the rows on which the two graders differ (`--audit`)."""
    audit = grader.audit
    rate = "no row compared" if audit.rate is None else f"{audit.differing:,} of {audit.compared:,} ({audit.rate:.2%})"
    yield f"audit: the second grader differs on {rate}; not compared: {audit.not_compared:,}"
    for row in audit.rows:
        ours, theirs = ("right" if said else "wrong" for said in (row.correct, row.second))
        shown = (row.extracted or "–")[:80]
        yield f"  {row.id}: gold {row.gold[:80]!r}, extracted {shown!r}: {ours} ({row.reason}), second {theirs}"


@contextmanager
def _open_input(file: str) -> Iterator[IO[bytes]]:
    """Open the rows to grade: a file, or standard input."""
    if file == "-":
        if standard_streams.was_stream_closed_at_start(0):
            raise UserError("FILE", file, "standard input is closed.", "Name a file of JSON lines.")
        yield sys.stdin.buffer
        return
    if Path(file).is_dir():
        raise UserError("FILE", file, "is a folder.", "Name a file of rows, or - for standard input.")
    with _open_or_refuse(Path(file), "rb", "FILE") as stream:
        yield stream


def _open_or_refuse(path: Path, mode: str, key: str, named: Path | None = None) -> IO[bytes]:
    """Open a file; UserError where it cannot be opened; it was `named` so."""
    try:
        return cast("IO[bytes]", path.open(mode))
    except OSError as error:
        raise UserError(key, named or path, f"cannot be opened: {error.strerror}.", "Name another file.") from error


@contextmanager
def _open_output(out: str) -> Iterator[IO[bytes]]:
    """Open standard output, or a file that appears under its name only when all of it is there."""
    if out == "-":
        yield sys.stdout.buffer
        return
    path = Path(out)
    if path.is_dir():
        raise UserError("--out", out, "is a folder.", "Name a file.")
    from tvo_cli.tracking.atomic_files import written_whole

    with written_whole(path, lambda draft: _open_or_refuse(draft, "wb", "--out", named=path)) as stream:
        yield stream


@contextmanager
def _stop_grading_at_sigterm() -> Iterator[None]:
    """End the command at SIGTERM as Ctrl-C does: children killed, the partial file removed."""

    def leave(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before: dict[int, Any] = {}
    with suppress(ValueError):  # not the main thread: whoever called owns the signals
        heard = signals.signals_not_ignored((signal.SIGTERM, signal.SIGHUP))
        before = {number: signal.signal(number, leave) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
