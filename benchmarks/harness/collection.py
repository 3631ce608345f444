"""Measure row by row into a file; what was measured before a stop is kept and not measured again."""

from __future__ import annotations

import json
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

from benchmarks.harness.benchmark import Benchmark, Measurement, Unfinished
from benchmarks.harness.machine import machine, versions
from benchmarks.harness.record import FORMAT, Record, Row, Table, read, write
from benchmarks.harness.settings import Settings, of_measurement

S = TypeVar("S", bound=Settings)
PATIENCE = 2.0  # seconds between two writings of the file


class NotResumable(Exception):
    """A record that was to go on is another one's or over."""


def collect(
    benchmark: Benchmark[S],
    settings: S,
    path: Path,
    words: Sequence[str] = (),
    *,
    quick: bool = False,
    anew: bool = False,
    resume: Path | None = None,
) -> Record:
    """Every row of the benchmark, in `path` too; `words` are those of the command line, for the record.

    An unfinished record at `resume`, or else at `path`, goes on.
    """
    record, source = begin(benchmark, settings, words, quick), resume or path
    before = None if anew else unfinished(source, record, benchmark)
    if resume is not None and before is None:
        raise NotResumable(_why_it_cannot_go_on(resume, any_machine=benchmark.any_machine))
    if path.exists() and (before is None or source != path):
        path.replace(path.with_name(f"{path.stem}.previous{path.suffix}"))
    if before is not None:
        done = sum(len(table.rows) for table in before.tables.values())
        say(f"{source}: unfinished, {done} rows are kept (--anew measures them again, as after a change of the code)")
        before.notes.extend(_moved(before, record, done))
    record = before or record
    with closing(_results(benchmark, settings, record)) as results:
        _fill(record, results, path, lines=path.with_suffix(".jsonl") if benchmark.rows_at_once else None)
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


def unfinished(path: Path, wanted: Record, benchmark: Benchmark[S]) -> Record | None:
    """A stopped measurement of the same thing: same settings and fields; versions, processor and GPU, if they count."""
    try:
        found = read(path)
    except (FileNotFoundError, ValueError):  # none yet, or another file of that name
        return None
    same = found.ended is None and found.benchmark == wanted.benchmark
    same &= benchmark.any_machine or _where(found) == _where(wanted)
    same &= of_measurement(benchmark.settings, found.settings) == of_measurement(benchmark.settings, wanted.settings)
    same &= {name: one.fields for name, one in found.tables.items()} == {
        name: one.fields for name, one in wanted.tables.items()
    }
    return found if same else None


def _why_it_cannot_go_on(path: Path, *, any_machine: bool) -> str:
    """That a record is complete, or another one's."""
    try:
        if read(path).ended is not None:
            return f"{path} is complete: --read {path} prints its tables, --anew measures it again"
    except (FileNotFoundError, ValueError):
        pass
    return f"{path} is no unfinished record of these settings{'' if any_machine else ', versions, processor and GPU'}"


def _where(record: Record) -> tuple[dict[str, str], str, str]:
    """Versions, processor and GPU."""
    return record.versions, record.machine.processor, record.machine.gpu


def _moved(before: Record, now: Record, rows: int) -> list[str]:
    """A note, where a record goes on elsewhere than it was begun."""
    if _where(before) == _where(now):
        return []
    differing = sorted(
        name for name in before.versions | now.versions if before.versions.get(name) != now.versions.get(name)
    )
    told = ", ".join(f"{name} {now.versions.get(name, 'none')}" for name in differing)
    return [f"{now.begun}: goes on after {rows} rows, on {now.machine.processor}{': ' if told else ''}{told}"]


def _results(benchmark: Benchmark[S], settings: S, record: Record) -> Generator[tuple[Measurement, list[Row]]]:
    """What is not in the record yet, measured here or, where the settings have workers, in processes."""
    found = benchmark.measure(settings, record) if benchmark.of_record else benchmark.measure(settings)
    pending = (one for one in found if not one.is_in(record))
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


def _fill(record: Record, results: Iterator[tuple[Measurement, list[Row]]], path: Path, *, lines: Path | None) -> None:
    """Measure and write; with `lines` every row at once, there too."""
    begun, before, written, number = time.monotonic(), record.seconds, 0.0, 0
    try:
        for number, (one, rows) in enumerate(results, 1):
            record.tables[one.table].rows.extend(rows)
            record.seconds = before + time.monotonic() - begun
            say(f"{number}: {one.table}, " + ", ".join(f"{name} {value}" for name, value in one.key.items()))
            if lines:
                _write_lines(lines, record, {one.table: rows} if number > 1 else None)
            if lines or record.seconds - written > PATIENCE:
                written = record.seconds
                write(path, record)
        record.ended = _now()
    except Unfinished as reason:
        say(f"{reason}; the same command goes on")
    finally:
        record.seconds = before + time.monotonic() - begun
        if record.ended or number:
            write(path, record)


def _write_lines(path: Path, record: Record, more: dict[str, list[Row]] | None) -> None:
    """A line of JSON a row, with the name of its table: those of `more` appended, or else the record's anew."""
    rows = more or {name: table.rows for name, table in record.tables.items()}
    lines = [json.dumps({"table": name} | row, ensure_ascii=False) + "\n" for name in rows for row in rows[name]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if more else "w", encoding="utf-8") as file:
        file.writelines(lines)


def say(line: str) -> None:
    """To stderr: stdout is for the table."""
    print(line, file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
