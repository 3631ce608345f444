"""The command line that all benchmarks share: measure or read a record, then print its table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmarks.harness.benchmark import Benchmark, Skipped
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.collection import NotResumable, collect, say
from benchmarks.harness.record import Record, read
from benchmarks.harness.settings import Settings, add_options

S = TypeVar("S", bound=Settings)


def run(benchmark: Benchmark[S], words: Sequence[str] | None = None) -> int:
    """Measure or read, print the table; 1 where a row of a measurement has `met` false, 2 for a wrong option."""
    parser, words = command_line(benchmark), sys.argv[1:] if words is None else words
    given = parser.parse_intermixed_args(words)
    try:
        record = _read(benchmark, given.read) if given.read else _measured(benchmark, given, words)
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 0
    except WrongOption as problem:
        parser.error(str(problem))
    show(benchmark, record, getattr(given, "figure", None))
    failed = any(row.get("met") is False for table in record.tables.values() for row in table.rows)
    return int(failed and not record.quick)


class WrongOption(Exception):
    """What the command line asks for cannot be done."""


def _read(benchmark: Benchmark[S], path: Path) -> Record:
    try:
        record = read(path)
    except (OSError, ValueError) as problem:
        raise WrongOption(f"--read: {problem}") from problem
    if record.benchmark != benchmark.name:
        raise WrongOption(f"--read: {path} is a record of benchmarks.{record.benchmark}")
    return record


def _measured(benchmark: Benchmark[S], given: argparse.Namespace, words: Sequence[str]) -> Record:
    """The file is outputs/benchmarks/NAME.json, or quick/NAME.json there."""
    path = given.out or FOLDER / ("quick" if given.quick else "") / f"{benchmark.name}.json"
    how = {"quick": given.quick, "anew": given.anew, "resume": given.resume}
    try:
        record = collect(benchmark, settings_of(benchmark, given), path, words, **how)
    except NotResumable as problem:
        raise WrongOption(f"--resume: {problem}") from problem
    say(f"written: {path} ({record.seconds:.0f} s)")
    return record


def settings_of(benchmark: Benchmark[S], given: argparse.Namespace) -> S:
    """What is asked for comes first, then what --quick takes, then the defaults."""
    asked = {name: value for name, value in vars(given).items() if name in benchmark.settings.model_fields}
    try:
        return benchmark.settings(**(dict(benchmark.quick) | asked if given.quick else asked))
    except ValidationError as problem:
        told = (f"{_option(one['loc'])}{one['msg']}" for one in problem.errors())
        raise WrongOption("; ".join(told)) from problem


def _option(place: tuple[int | str, ...]) -> str:
    return f"--{str(place[0]).replace('_', '-')}: " if place else ""


def show(benchmark: Benchmark[S], record: Record, figure: Path | None) -> None:
    """What the record says, for docs/results."""
    if record.quick:
        print("> --quick: sizes for a test; quote no number of this.\n")
    if record.ended is None:
        print("> unfinished: the same command goes on.\n")
    print(benchmark.table(record))
    if figure is not None and benchmark.figure is not None:
        benchmark.figure(record, figure)


def command_line(benchmark: Benchmark[S]) -> argparse.ArgumentParser:
    """Its own settings, and the options that all have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{benchmark.name}",
        description=benchmark.about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add_options(parser, benchmark.settings, benchmark.quick)
    shared = parser.add_argument_group("all benchmarks")
    shared.add_argument("--quick", action="store_true", default=False, help="seconds instead of a measurement")
    where = f"the record (default: outputs/benchmarks/{benchmark.name}.json)"
    shared.add_argument("--out", type=Path, default=None, metavar="FILE", help=where)
    shared.add_argument("--anew", action="store_true", default=False, help="measure again what an unfinished file has")
    again = "go on with that unfinished record, as one of another folder (default: with the one of --out)"
    shared.add_argument("--resume", type=Path, default=None, metavar="FILE", help=again)
    shared.add_argument(
        "--read", type=Path, default=None, metavar="FILE", help="print a record's table; measure nothing"
    )
    if benchmark.figure is not None:
        shared.add_argument("--figure", type=Path, default=None, metavar="FOLDER", help="draw the figure there too")
    return parser
