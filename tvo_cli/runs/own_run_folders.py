"""Run folders of our own, config and metrics.jsonl read in whatever state they are: faults are noted, not raised."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.report import run_folder_reading
from tvo_cli.runs.trial import FAILED, FINISHED, UNFINISHED
from tvo_cli.tracking import metrics_file
from tvo_cli.tracking import run_status as states

SFT_RECORD = "sft.json"  # written at the end of `tvo sft`
NUMBERS = frozenset((float, int, bool))
CONTINUES = ("Interrupted", "KeyboardInterrupt")  # ends that the same command goes on from


def is_run_folder(names: Iterable[str]) -> bool:
    """Return whether a folder with these files is a run of our own, even one that wrote next to nothing."""
    found = set(names)
    return "metrics.jsonl" in found or ("config.yaml" in found and "command.txt" in found)


def is_fine_tuning(folder: Path) -> bool:
    """Return whether a folder is that of `tvo sft`, done or under way."""
    return (folder / SFT_RECORD).is_file() or states.read_status(folder).get("command") == "sft"


def planned_fine_tuning(folder: Path) -> int:
    """Return the steps of a fine-tuning that is done; 0 while they are not known."""
    steps = read_run_mapping(folder / SFT_RECORD)[0].get("steps", 0)
    return steps if isinstance(steps, int) else 0


def read_run_folder(folder: Path) -> tuple[run_folder_reading.LoadedRun, list[str]]:
    """Read a run folder, and what was wrong with its files."""
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


def state_of_own_run(run: run_folder_reading.LoadedRun, planned: int) -> tuple[str, str]:
    """Return the state of a run, and what is known of its end: from its files alone, never from the clock.

    Its state.json has the first word: a summary may be left over from before the run was extended or begun again.
    """
    done = max((int(row["step"]) for row in run.steps), default=0)
    told = states.read_status(run.folder)
    word = told.get("state") or (states.FINISHED if run.summary else "")
    if word == states.FINISHED:
        short = f"stopped itself at step {done} of {planned}" if done < planned else ""
        return FINISHED, short
    progress = f"{done} of {planned or '?'} steps"
    error = _last_error_in_own_log(run.folder / "run.log")
    if word == states.FAILED or (error and not error.startswith(CONTINUES)):
        return FAILED, f"{progress}; stopped by {told.get('reason') or error or 'an error'}"
    if word == states.INTERRUPTED or error:
        return UNFINISHED, f"{progress}; interrupted; the same command resumes it"
    return UNFINISHED, f"{progress}; still running, or killed"


def _last_error_in_own_log(path: Path) -> str:
    """Return `Kind: message` when run.log ends with it; anything logged later means that the run went on."""
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().split("\n")
    found = re.search(r"ERROR tvo: stopped by (.+)", lines[-1])
    return found.group(1).strip() if found else ""


def last_responses_file(folder: Path) -> Path | None:
    """Return the responses of our own run folder's last evaluation; None where none were kept."""
    kept = sorted((folder / "responses").glob("evaluation-step-*.jsonl"))
    whole = folder / "responses.jsonl"
    return kept[-1] if kept else (whole if whole.is_file() else None)
