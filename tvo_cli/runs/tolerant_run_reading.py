"""Tolerant reading of our own run folders: what can be read of each file is, faults are noted and none is raised."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.report import run_folder_reading
from tvo_cli.tracking import metrics_file

NUMBERS = frozenset((float, int, bool))


def read_run_folder(folder: Path) -> tuple[run_folder_reading.LoadedRun, list[str]]:
    """Read what can be read of a run folder, and what was wrong with its files."""
    rows, said = read_run_metrics(folder / "metrics.jsonl")
    parts: dict[str, Any] = {}
    for name in ("config.yaml", "summary.json", "collapse.json"):
        parts[name], complaint = read_run_mapping(folder / name)
        said += complaint
    run = run_folder_reading.LoadedRun(
        folder=folder,
        config=parts["config.yaml"],
        steps=[row for row in rows if not metrics_file.is_evaluation_row(row)],
        evaluations=[row for row in rows if metrics_file.is_evaluation_row(row) and len(row) > 1],
        summary=parts["summary.json"],
        collapse=parts["collapse.json"],
    )
    return run, said


def scores_of_own_summary(tree: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a run folder's summary.json by its name; a suite's come as `suite/eval/pass@1`."""
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(value, Mapping):
            yield from scores_of_own_summary(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def read_run_metrics(path: Path) -> tuple[list[metrics_file.Row], list[str]]:
    """Read every row of a run folder's metrics.jsonl that can be read, the last of repeated steps; what was not."""
    if not path.is_file():
        return [], []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows, said = [], []
    if lines[-1]:
        said.append("the last line of metrics.jsonl is torn; it is left out")
    for number, text in enumerate(lines[:-1], start=1):
        try:
            rows.append(numeric_entries_of_own_row(metrics_file.parse_metrics_line(text)))
        except ValueError:
            said.append(f"line {number} of metrics.jsonl is not a metrics row; it is left out")
    kept = {(row["step"], metrics_file.is_evaluation_row(row)): row for row in rows}
    if len(kept) < len(rows):
        said.append(f"{len(rows) - len(kept)} steps are recorded twice; the later record counts")
    return [kept[key] for key in sorted(kept)], said


def numeric_entries_of_own_row(row: metrics_file.Row) -> metrics_file.Row:
    """Return the entries of a run folder's metrics row that are numbers."""
    if NUMBERS.issuperset(map(type, row.values())):
        return row
    return {name: value for name, value in row.items() if type(value) in NUMBERS}


def read_run_mapping(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """Read a YAML or JSON mapping of a run folder; an empty one, and why, when it cannot be read."""
    if not path.is_file():
        return {}, []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        found = run_folder_reading.parse_run_config(text) if path.suffix == ".yaml" else json.loads(text)
    except ValueError:
        return {}, [f"{path.name} cannot be read; it is left out"]
    return (found, []) if isinstance(found, dict) else ({}, [f"{path.name} holds no mapping; it is left out"])
