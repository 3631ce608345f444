"""Runs of other tools, read through a mapping of their names (docs/compare.md): the last run of a file or folder."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvo_cli.report.run_folder_reading import LoadedRun
from tvo_cli.runs.log_file_formats import LoggedRows, Rows, read_logged_rows
from tvo_cli.runs.logged_texts import with_numbers_of_texts
from tvo_cli.runs.tool_mappings import PLAIN, STEPS, TRL, MappedColumns, ToolMapping, find_mapping, read_tool_mapping
from tvo_cli.runs.trial import FINISHED, RATE, UNFINISHED, Trial, finite_number_of
from tvo_cli.tracking import metrics_file

SEED = re.compile(r"(?:^|[-_,./=+])(?:seed|s)[-_=]?(\d+)(?=$|[-_,./+])")
PLANNED_UNKNOWN = "its planned number of steps is unknown; it counts as finished"
GROUPS = {"algorithm": "algorithm.name", "seed": "seed", "lr": RATE}

LATEST = 2**53  # steps that a float counts
SHOWN, LONGEST = 6, 40  # columns that a message names, and characters of a value

__all__ = ["TRL", "ToolMapping", "read_other_tools_run", "read_tool_mapping", "trial_of_rows"]


def read_other_tools_run(file: Path, name: str, source: str, chosen: ToolMapping) -> tuple[Trial, list[str]]:
    """Read a run of another tool from its file, and what was wrong with it."""
    return trial_of_rows(read_logged_rows(file, chosen), file.parent, name, source, chosen)


def trial_of_rows(
    read: LoggedRows, folder: Path, name: str, source: str, chosen: ToolMapping
) -> tuple[Trial, list[str]]:
    """Return a run from rows under another tool's names, and what was wrong with them."""
    read, mapping = _unnested_rows(read, chosen)
    ours = MappedColumns(mapping)
    rows, texts = with_numbers_of_texts(read.rows, ours)
    run_rows = [ours.row(row) for row in rows if _is_step_number(row.get(mapping.step))]
    run = LoadedRun(
        folder=folder,
        config={},
        steps=_rows_merged_by_step(run_rows, evaluations=False),
        evaluations=_rows_merged_by_step(run_rows, evaluations=True),
        summary=_summary_of_tool_run(read.rows, mapping),
        collapse={},
    )
    settings = _settings_of_tool_run(read.rows, mapping, name)
    planned = _planned_steps(mapping, read.document)
    state, why, more = _state_of_tool_run(run, planned)
    said = [
        *read.said,
        *more,
        *texts,
        *_note_on_seconds(read.rows, chosen),
        *_why_nothing_is_read(read.rows, run, mapping.step),
    ]
    return Trial(name, source, run, settings, state, why, mapping.tool, planned), said


def _why_nothing_is_read(rows: Sequence[Mapping[str, Any]], run: LoadedRun, step: str) -> list[str]:
    """Return what a user has to know where another tool's file has rows, and none of them is a step with a number."""
    if not rows or run.steps or run.evaluations:
        return []
    columns = ", ".join(list(dict.fromkeys(name for row in rows for name in row))[:SHOWN])
    with_step = next((row for row in rows if _is_step_number(row.get(step))), None)
    if with_step is None:
        given = next((f" ({step} is {row[step]!r})" for row in rows if step in row), "")
        return [f"no row has a step that is a whole number{given}; its columns are {columns}"]
    name, value = next(((name, value) for name, value in with_step.items() if name != step), ("", None))
    example = f": {name} is {str(value)[:LONGEST]!r}" if name else ""
    return [f"no column besides {step} is a number{example} (metrics that stand in one: --mapping, nested: {name})"]


def _is_step_number(value: Any) -> bool:
    """Whether another tool's value of the step column is a step."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LATEST and value == int(value)
    )


def _rows_merged_by_step(rows: Sequence[metrics_file.Row], *, evaluations: bool) -> list[metrics_file.Row]:
    """Return another tool's rows, one a step, in order, of one kind."""
    found: dict[int, metrics_file.Row] = {}
    for row in rows:
        part = {
            name: value for name, value in row.items() if name != "step" and name.startswith("eval/") == evaluations
        }
        if part:
            found.setdefault(row["step"], {"step": row["step"]}).update(part)
    return [found[step] for step in sorted(found)]


def _settings_of_tool_run(rows: Sequence[Mapping[str, Any]], chosen: ToolMapping, name: str) -> dict[str, Any]:
    """Return the settings of another tool's run: what the mapping says, over what the path's name says."""
    seed = SEED.search(name)
    stem = SEED.sub("", name).strip("-_,./+ ") if seed else name
    found: dict[str, Any] = {"algorithm.name": stem or name} | ({"seed": int(seed.group(1))} if seed else {})
    matched = re.search(chosen.path, name) if chosen.path else None
    for group, text in (matched.groupdict() if matched else {}).items():
        found[GROUPS.get(group, group)] = _parse_setting_in_path(text or "")
    for key, value in chosen.settings.items():
        taken = _setting_from_column(rows, value, key) if isinstance(value, Mapping) else value
        if taken is not None:
            found[key] = taken
    return {key: _as_scalar(value) for key, value in found.items()}


def _parse_setting_in_path(text: str) -> Any:
    """Return a setting that the path's pattern found, as a number where it is one."""
    try:
        return float(text) if not text.isdigit() else int(text)
    except ValueError:
        return text


def _setting_from_column(rows: Sequence[Mapping[str, Any]], how: Mapping[str, Any], key: str) -> Any:
    """Return a setting from a column; a rate to three digits, so that seeds logged at other steps agree."""
    values = [value for row in rows if _is_given(value := row.get(how["column"]))]
    if not values:
        return None
    take = how.get("take", "first")
    value = _largest(values) if take == "max" else values[0 if take == "first" else -1]
    return float(f"{value:.3g}") if key == RATE and isinstance(value, float) and math.isfinite(value) else value


def _is_given(value: Any) -> bool:
    """Whether another tool's cell holds a value: a gap is none, or nan where a table was written as numbers."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def _largest(values: Sequence[Any]) -> Any:
    """Return the largest number of a column that gives a setting; of a column without numbers its first value."""
    return max((value for value in values if isinstance(value, int | float)), default=values[0])


def _as_scalar(value: Any) -> Any:
    """Return a setting of another tool as settings are: a list as text, and the float of a whole number as that."""
    if isinstance(value, list | dict):
        return json.dumps(value, default=str)
    return int(value) if _is_step_number(value) else value


def _summary_of_tool_run(rows: Sequence[Mapping[str, Any]], chosen: ToolMapping) -> dict[str, Any]:
    found = [number for row in rows if (number := finite_number_of(row.get(chosen.seconds))) is not None]
    return {"seconds": found[-1]} if found and chosen.seconds else {}


def _note_on_seconds(rows: Sequence[Mapping[str, Any]], chosen: ToolMapping) -> list[str]:
    """Return a note where the column of another tool's seconds is there, and no row has a number in it."""
    given = [row[chosen.seconds] for row in rows if chosen.seconds in row]
    if not given or any(finite_number_of(value) is not None for value in given):
        return []
    return [f"no row has a number of seconds in {chosen.seconds} ({given[-1]!r})"]


def _planned_steps(chosen: ToolMapping, document: Mapping[str, Any]) -> int | None:
    """The steps that another tool's run was to have; None where nothing says it."""
    planned = document.get(chosen.planned, 0) if isinstance(chosen.planned, str) else chosen.planned
    return int(planned) if isinstance(planned, int | float) and 0 < planned < LATEST else None


def _state_of_tool_run(run: LoadedRun, planned: int | None) -> tuple[str, str, list[str]]:
    """Return the state of another tool's run, by the steps it was to have."""
    done = max((int(row["step"]) for row in (*run.steps, *run.evaluations)), default=0)
    if not done:
        return UNFINISHED, "no step was recorded", []
    if not planned:
        return FINISHED, "", [PLANNED_UNKNOWN]
    if done >= planned:
        return FINISHED, "", []
    return UNFINISHED, f"{done} of {planned} steps", []


def _unnested_rows(read: LoggedRows, chosen: ToolMapping) -> tuple[LoggedRows, ToolMapping]:
    """Return another tool's rows with their metrics at the top, and the mapping that fits where none was chosen."""
    rows = [_flattened(row, chosen.nested or "data") for row in read.rows]
    mapping = chosen
    if chosen == PLAIN:
        mapping = find_mapping({name for row in rows for name in row})
        mapping = replace(mapping, step=_step_column(rows, mapping.step))
    rows, said = _rows_of_last_run(rows, mapping.step)
    return LoggedRows(rows, read.document, (*read.said, *said)), mapping


def _flattened(row: dict[str, Any], key: str) -> dict[str, Any]:
    """Return another tool's row with what stands under a key of it moved to the top."""
    inside = row.get(key)
    return {**row, **inside} if isinstance(inside, dict) else row


def _step_column(rows: Rows, usual: str) -> str:
    """Return the column of steps in another tool's rows: the usual one, or the first other name that is there."""
    names = {name for row in rows for name in row}
    return next((name for name in (usual, *STEPS) if name in names), usual)


def _rows_of_last_run(rows: Rows, step: str) -> tuple[Rows, list[str]]:
    """Return the rows of the last of another tool's runs in a file whose steps begin anew; a resumed run is one."""
    begun = [0]
    reached = first = None
    for at, row in enumerate(rows):
        now = row.get(step)
        if not isinstance(now, int | float):
            continue
        if reached is not None and first is not None and now < reached and now <= first:
            begun.append(at)
        first = now if first is None else min(first, now)
        reached = now
    if len(begun) == 1:
        return rows, []
    return rows[begun[-1] :], [f"{len(begun)} runs stand in one file (the steps begin anew); only the last is read"]
