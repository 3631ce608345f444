"""Measure row by row into a file; what was measured before a stop is kept and not measured again."""

from __future__ import annotations

import multiprocessing
import shlex
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.machine import machine, versions
from benchmarks.harness.record import FORMAT, Record, Row, Table, read, write
from benchmarks.harness.settings import Settings

S = TypeVar("S", bound=Settings)
PATIENCE = 2.0  # seconds between two writings of the file


def collect(
    benchmark: Benchmark[S],
    settings: S,
    path: Path,
    words: Sequence[str] = (),
    *,
    quick: bool = False,
    anew: bool = False,
) -> Record:
    """Every row of the benchmark, in `path` too; `words` are those of the command line, for the record."""
    record = begin(benchmark, settings, words, quick)
    before = None if anew else unfinished(path, record)
    if before is not None:
        done = sum(len(table.rows) for table in before.tables.values())
        say(f"{path}: unfinished, {done} rows are kept (--anew measures them again, as after a change of the code)")
        record = before
    elif path.exists():
        path.replace(path.with_name(f"{path.stem}.previous{path.suffix}"))
    with closing(_results(benchmark, settings, record)) as results:
        _fill(record, results, path)
    return record


def begin(benchmark: Benchmark[S], settings: S, words: Sequence[str], quick: bool) -> Record:
    """A record without rows."""
    drawn = getattr(settings, "seeds", benchmark.seeds)
    return Record(
        format=FORMAT,
        benchmark=benchmark.name,
        command=shlex.join(["python", "-m", f"benchmarks.{benchmark.name}", *words]),
        quick=quick,
        begun=_now(),
        ended=None,
        seconds=0.0,
        settings=settings.model_dump(mode="json"),
        seeds=list(drawn),
        versions=versions(),
        machine=machine(),
        notes=list(benchmark.notes),
        tables={name: Table(fields=dict(fields), rows=[]) for name, fields in benchmark.tables.items()},
    )


def unfinished(path: Path, wanted: Record) -> Record | None:
    """A stopped measurement of the same thing: same settings, versions, processor and fields."""
    try:
        found = read(path)
    except (FileNotFoundError, ValueError):  # none yet, or another file of that name
        return None
    same = found.ended is None and found.machine.processor == wanted.machine.processor
    same &= (found.benchmark, found.settings, found.versions) == (wanted.benchmark, wanted.settings, wanted.versions)
    same &= {name: one.fields for name, one in found.tables.items()} == {
        name: one.fields for name, one in wanted.tables.items()
    }
    return found if same else None


def _results(benchmark: Benchmark[S], settings: S, record: Record) -> Generator[tuple[Measurement, list[Row]]]:
    """What is not in the record yet, measured here or, where the settings have workers, in processes."""
    pending = (one for one in benchmark.measure(settings) if not one.is_in(record))
    workers = getattr(settings, "workers", 1)
    if workers == 1:
        yield from ((one, one.rows()) for one in pending)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(one.rows): one for one in pending}
        try:
            yield from ((running[done], done.result()) for done in as_completed(running))
        except BaseException:  # what has not begun is left for the next start
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fill(record: Record, results: Iterator[tuple[Measurement, list[Row]]], path: Path) -> None:
    begun, before, written, number = time.monotonic(), record.seconds, 0.0, 0
    try:
        for number, (one, rows) in enumerate(results, 1):
            record.tables[one.table].rows.extend(rows)
            record.seconds = before + time.monotonic() - begun
            say(f"{number}: {one.table}, " + ", ".join(f"{name} {value}" for name, value in one.key.items()))
            if record.seconds - written > PATIENCE:
                written = record.seconds
                write(path, record)
        record.ended = _now()
    finally:
        record.seconds = before + time.monotonic() - begun
        if record.ended or number:
            write(path, record)


def say(line: str) -> None:
    """To stderr: stdout is for the table."""
    print(line, file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
