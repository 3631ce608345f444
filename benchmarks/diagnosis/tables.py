"""All tables of docs/results/diagnosis.md, from the record of benchmarks.diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.diagnosis import case_tables, graded, run_tables, speed, trade_off
from benchmarks.diagnosis.sets import FIGURES
from benchmarks.harness.record import Record, Row


class Section(NamedTuple):
    """A table: its heading, the rows of the record that it is made of, and how."""

    title: str
    rows: Callable[[Record], Sequence[Row]]
    table: Callable[[Sequence[Row]], str]


def table(record: Record) -> str:
    """What the record says of the peers, then each table that it has rows for, under its heading."""
    made = [(section, section.rows(record)) for section in SECTIONS]
    parts = [f"### {section.title}\n\n{section.table(rows)}" for section, rows in made if rows]
    return "\n\n".join(filter(None, (_peers(record), *parts)))


def _peers(record: Record) -> str:
    """Which peers were there, and which were not."""
    asked = {row["tool"] for row in record.rows("cases")}
    there = [f"{row['tool']} {row['version']}" for row in record.rows("tools") if row["version"]]
    missing = [row for row in record.rows("tools") if row["left_out"] and row["tool"] not in asked]
    lines = [f"Peers: {', '.join(there)}."] if there else []
    lines += [f"{row['tool']} is left out: {row['left_out'].splitlines()[0]}" for row in missing]
    return "\n\n".join(lines)


def _of(source: str) -> Callable[[Record], list[Row]]:
    return lambda record: [row for row in record.rows("cases") if row["source"] == source]


def _figures(record: Record) -> list[Row]:
    return [row for row in _of("runs")(record) if row["standing"] in FIGURES]


def _ends(record: Record) -> list[Row]:
    return [row for row in _of("runs")(record) if row["case"] in ("fell", "stalled")]


def _faults(record: Record) -> list[Row]:
    return [row for row in _of("faults")(record) if row["standing"] == "odd"]


def _real(record: Record) -> list[Row]:
    return [*_of("runs")(record), *_faults(record)]


def _alarms(record: Record) -> list[Row]:
    """Those of runs, and of runs with faults those of odd seeds."""
    return [row for row in record.rows("alarms") if row["source"] == "runs" or int(row["group"]) % 2]


SECTIONS = (
    Section("Aims, on runs that nothing was set on", _figures, run_tables.aims),
    Section("Finished runs and injected faults", _real, run_tables.sets_of_runs),
    Section("Runs that fell or stalled", _ends, run_tables.other_ends),
    Section("Every healthy run that our rules alarm", _alarms, run_tables.false_alarms),
    Section("Delay at equal false alarms", lambda record: record.rows("trade_off"), trade_off.table),
    Section("Injected faults, odd seeds", _faults, case_tables.cases),
    Section("rldoctor's simulated scenarios", _of("scenarios"), case_tables.cases),
    Section("Simulated healthy logs", _of("simulated"), case_tables.lengths),
    Section("Simulated faults", _of("simulated"), case_tables.ill),
    Section("Verdicts given again", lambda record: record.rows("graded"), graded.table),
    Section("Verdicts turned round, in a log", lambda record: record.rows("graded"), lambda _: case_tables.power()),
    Section("Time", lambda record: record.rows("time"), speed.table),
)
