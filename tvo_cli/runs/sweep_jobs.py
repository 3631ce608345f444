"""Jobs of a sweep, from its index (sweep.json): which failed, and which left no folder at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvo_cli.report.run_folder_reading import LoadedRun, parse_run_config
from tvo_cli.runs.trial import FAILED, FINISHED, UNFINISHED, Trial

GROUPS = ("algorithm", "model", "dataset")  # an override of a group names its choice

Job = Mapping[str, Any]


def read_jobs_of_sweep(index: Path) -> tuple[dict[Path, Job], list[str]]:
    """Read the jobs of a sweep's index by their folders; and what was wrong with the file."""
    try:
        found = json.loads(index.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return {}, ["the sweep's index is not JSON; jobs that left no folder are not known"]
    listed = found.get("jobs") if isinstance(found, dict) else None
    known = [job for job in listed if isinstance(job, dict) and job.get("folder")] if isinstance(listed, list) else []
    return {(index.parent / str(job["folder"])).resolve(): job for job in known}, []


def with_state_in_sweep(trial: Trial, job: Job | None) -> Trial:
    """Return a trial, as failed where the sweep's index says so and no summary says otherwise."""
    if job is None or trial.state == FINISHED or job.get("state") != "failed":
        return trial
    return replace(trial, state=FAILED, why=_reason_in_sweep(job, trial.why.split(";")[0]))


def jobs_without_folder(known: Mapping[Path, Job], seen: Iterable[Path], source: str) -> list[Trial]:
    """Return trials for the jobs of a sweep that left no folder."""
    found = []
    for place, job in known.items():
        if place in set(seen):
            continue
        state = FAILED if job.get("state") == "failed" else UNFINISHED
        run = LoadedRun(place, {}, [], [], {}, {})
        found.append(
            Trial(
                str(job["folder"]),
                source,
                run,
                _settings_in_overrides(job),
                state,
                _reason_in_sweep(job, "nothing was recorded"),
            )
        )
    return found


def with_settings_of_similar_run(trial: Trial, others: Iterable[Trial]) -> Trial:
    """Return a job without folder with the missing settings of the run of the sweep that is most like it."""
    told = {key: value for key, value in trial.settings.items() if key != "seed"}
    like = max(others, key=lambda other: sum(other.settings.get(key) == told[key] for key in told), default=None)
    return trial if like is None else trial.with_settings({**like.settings, **trial.settings})


def _reason_in_sweep(job: Job, progress: str) -> str:
    reason = str(job.get("reason") or "")
    return f"{progress}; the sweep calls it {job.get('state', '?')}" + (f": {reason}" if reason else "")


def _settings_in_overrides(job: Job) -> dict[str, Any]:
    """Return the settings that a job's overrides name."""
    listed = job.get("overrides")
    words: Sequence[Any] = listed if isinstance(listed, list) else ()
    found: dict[str, Any] = {}
    for key, equals, value in (str(word).lstrip("+").partition("=") for word in words):
        if equals:
            read = parse_run_config(f"value: {value}") if not value.startswith(("{", "[")) else {}
            found[f"{key}.name" if key in GROUPS else key] = read.get("value", value)
    return found
