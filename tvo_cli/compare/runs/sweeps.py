"""What a sweep's index (sweep.json) knows of its jobs: which failed, and which left no folder at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvo_cli.compare.runs.run_record import FAILED, FINISHED, UNFINISHED, Trial
from tvo_cli.report.runs import Run, yaml_mapping

INDEX = "sweep.json"
GROUPS = ("algorithm", "model", "dataset")  # an override of a group names its choice

Job = Mapping[str, Any]


def jobs(index: Path) -> tuple[dict[Path, Job], list[str]]:
    """The jobs of an index by the folder each was to have; and what was wrong with the file."""
    try:
        found = json.loads(index.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return {}, ["the sweep's index is not JSON; jobs that left no folder are not known"]
    listed = found.get("jobs") if isinstance(found, dict) else None
    known = [job for job in listed if isinstance(job, dict) and job.get("folder")] if isinstance(listed, list) else []
    return {(index.parent / str(job["folder"])).resolve(): job for job in known}, []


def told(trial: Trial, job: Job | None) -> Trial:
    """The trial, as failed when the sweep says so and no summary says otherwise."""
    if job is None or trial.state == FINISHED or job.get("state") != "failed":
        return trial
    return replace(trial, state=FAILED, why=_why(job, trial.why.split(";")[0]))


def lost(known: Mapping[Path, Job], seen: Iterable[Path], source: str) -> list[Trial]:
    """Jobs that no folder was found of: they ended, or wait, before anything was written."""
    found = []
    for place, job in known.items():
        if place in set(seen):
            continue
        state = FAILED if job.get("state") == "failed" else UNFINISHED
        run = Run(place, {}, [], [], {}, {})
        found.append(Trial(str(job["folder"]), source, run, _settings(job), state, _why(job, "nothing was recorded")))
    return found


def completed(trial: Trial, others: Iterable[Trial]) -> Trial:
    """A lost job with the settings that its overrides do not name, from a run of the sweep that is most like it."""
    told = {key: value for key, value in trial.settings.items() if key != "seed"}
    like = max(others, key=lambda other: sum(other.settings.get(key) == told[key] for key in told), default=None)
    return trial if like is None else trial.with_settings({**like.settings, **trial.settings})


def _why(job: Job, progress: str) -> str:
    reason = str(job.get("reason") or "")
    return f"{progress}; the sweep calls it {job.get('state', '?')}" + (f": {reason}" if reason else "")


def _settings(job: Job) -> dict[str, Any]:
    """The settings that a job's overrides name."""
    listed = job.get("overrides")
    words: Sequence[Any] = listed if isinstance(listed, list) else ()
    found: dict[str, Any] = {}
    for key, equals, value in (str(word).lstrip("+").partition("=") for word in words):
        if equals:
            read = yaml_mapping(f"value: {value}") if not value.startswith(("{", "[")) else {}
            found[f"{key}.name" if key in GROUPS else key] = read.get("value", value)
    return found
