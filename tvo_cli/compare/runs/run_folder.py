"""Reads one folder of our own, whatever state it is in: what cannot be read is said, not raised."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.compare.runs.run_record import FAILED, FINISHED, UNFINISHED
from tvo_cli.config.moved_targets import current_target, with_targets
from tvo_cli.report import runs
from tvo_cli.tracking import metrics
from tvo_cli.tracking import run_status as states

CONTINUES = ("Interrupted", "KeyboardInterrupt")  # ends that the same command goes on from


def is_run(names: Iterable[str]) -> bool:
    """Whether a folder with these files is a run, even one that wrote next to nothing."""
    found = set(names)
    return "metrics.jsonl" in found or ("config.yaml" in found and "command.txt" in found)


def is_evaluation(names: Iterable[str]) -> bool:
    """Whether it is the folder of a `tvo eval`."""
    found = set(names)
    return (
        "metrics.jsonl" not in found
        and "responses.jsonl" in found
        and bool(found & {"summary.json", "evaluation.json"})
    )


def read(folder: Path) -> tuple[runs.Run, list[str]]:
    """A run and what was wrong with its files."""
    rows, said = metric_rows(folder / "metrics.jsonl")
    parts: dict[str, Any] = {}
    for name in ("config.yaml", "summary.json", "collapse.json"):
        parts[name], complaint = mapping(folder / name)
        said += complaint
    run = runs.Run(
        folder=folder,
        config=with_targets(parts["config.yaml"], current_target),
        steps=[row for row in rows if not metrics.evaluates(row)],
        evaluations=[row for row in rows if metrics.evaluates(row) and len(row) > 1],
        summary=parts["summary.json"],
        collapse=parts["collapse.json"],
    )
    return run, said


def scores(tree: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a summary by its name; a suite's inside come as `suite/eval/pass@1`."""
    for name, value in tree.items() if isinstance(tree, Mapping) else ():
        if isinstance(value, Mapping):
            yield from scores(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def metric_rows(path: Path) -> tuple[list[metrics.Row], list[str]]:
    """Every row that can be read, the last of a step that was done twice; and what was passed over."""
    if not path.is_file():
        return [], []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows, said = [], []
    if lines[-1]:
        said.append("the last line of metrics.jsonl is torn; it is left out")
    for number, text in enumerate(lines[:-1], start=1):
        try:
            rows.append(numbers(metrics.parse(text)))
        except ValueError:
            said.append(f"line {number} of metrics.jsonl is not a metrics row; it is left out")
    kept = {(row["step"], metrics.evaluates(row)): row for row in rows}
    if len(kept) < len(rows):
        said.append(f"{len(rows) - len(kept)} steps are recorded twice; the later record counts")
    return [kept[key] for key in sorted(kept)], said


def numbers(row: Mapping[str, Any]) -> metrics.Row:
    """The entries of a row that are numbers."""
    return {name: value for name, value in row.items() if isinstance(value, int | float)}


def mapping(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """The mapping of a YAML or JSON file; an empty one, and why, when it cannot be read."""
    if not path.is_file():
        return {}, []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        found = runs.yaml_mapping(text) if path.suffix == ".yaml" else json.loads(text)
    except ValueError:
        return {}, [f"{path.name} cannot be read; it is left out"]
    return (found, []) if isinstance(found, dict) else ({}, [f"{path.name} holds no mapping; it is left out"])


def state(run: runs.Run, planned: int) -> tuple[str, str]:
    """What became of a run, and what is known of its end: from its files alone, never from the clock.

    Its state.json has the first word: a summary may be left over from before the run was extended or begun again.
    """
    done = max((int(row["step"]) for row in run.steps), default=0)
    told = states.read(run.folder)
    word = told.get("state") or (states.FINISHED if run.summary else "")
    if word == states.FINISHED:
        short = f"ended itself at step {done} of {planned}" if done < planned else ""
        return FINISHED, short
    progress = f"{done} of {planned or '?'} steps"
    error = _last_error(run.folder / "run.log")
    if word == states.FAILED or (error and not error.startswith(CONTINUES)):
        return FAILED, f"{progress}; stopped by {told.get('reason') or error or 'an error'}"
    if word == states.INTERRUPTED or error:
        return UNFINISHED, f"{progress}; interrupted, and the same command goes on"
    return UNFINISHED, f"{progress}; still going, or killed"


def _last_error(path: Path) -> str:
    """`Kind: message` when a run's log ends with it; anything logged later means that the run went on."""
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().split("\n")
    found = re.search(r"ERROR tvo: stopped by (.+)", lines[-1])
    return found.group(1).strip() if found else ""
