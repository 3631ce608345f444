"""Logs to diagnose: the runs below the given paths, as `tvo compare` reads them, reward terms under our names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import TVO, Row, RunFacts, TrainingLog, bounded_row
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import closest_names
from tvo_cli.runs.evaluation_folders import EVALUATED
from tvo_cli.runs.gather import gather_runs
from tvo_cli.runs.other_tools import PLANNED_UNKNOWN
from tvo_cli.runs.trial import Trial
from tvo_cli.tracking.metric_names import is_known_metric

TERM = re.compile(r"(eval/)?rewards/(.+)/(mean|std)")  # TRL's name for one function of a reward
CORRECTNESS = re.compile(r"accura|correct|exact_match|verif|math|answer|solve", re.IGNORECASE)
READ = frozenset(name for failure in FAILURES for group in failure.needs for name in group)


class ReadLogs(NamedTuple):
    """Logs, and notes of their files."""

    logs: tuple[TrainingLog, ...]
    notes: tuple[str, ...]


def read_logs(paths: Sequence[Path], mapping: Path | None = None) -> ReadLogs:
    """Read every training run below the paths.

    Raises:
        UserError: there is none, or none of them has a step.
    """
    gathered = gather_runs(paths, mapping)
    logs = tuple(log_of_trial(trial) for trial in gathered.trials if EVALUATED not in trial.settings)
    filled = tuple(log for log in logs if log.rows)
    if not filled:
        remedy = "A diagnosis needs at least one step with metrics (docs/diagnose.md says which)."
        why = f" ({'; '.join(note.rstrip('.') for note in gathered.notes[:3])})" if gathered.notes else ""
        raise UserError("runs", ", ".join(map(str, paths)), f"no step was logged there{why}.", remedy)
    empty = [f"{log.facts.name}: no step was logged; it is left out." for log in logs if not log.rows]
    notes = [note for note in gathered.notes if PLANNED_UNKNOWN not in note]  # said for comparisons
    return ReadLogs(filled, (*notes, *empty))


def log_of_trial(trial: Trial) -> TrainingLog:
    """Return the log as read from a run: training rows with the evaluations of their steps."""
    read = (*trial.run.steps, *trial.run.evaluations)
    has_terms = any("rewards/" in name for name in columns_of(read))
    merged: dict[int, Row] = {}
    for row in read:
        named = with_reward_terms(row) if has_terms else row
        step = int(row["step"])
        merged[step] = {**merged[step], **named} if step in merged else named
    rows: tuple[Row, ...] = tuple(bounded_row(merged[step]) for step in sorted(merged))
    if trial.tool:
        rows = _with_accuracy(rows)
    return TrainingLog(facts_of_trial(trial), rows, tuple(_unknown_columns(rows)))


def columns_of(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names of all columns of the rows to diagnose."""
    return set().union(*rows)


def facts_of_trial(trial: Trial) -> RunFacts:
    """Return what is read of a run besides its metrics."""
    return RunFacts(
        name=trial.name,
        tool=trial.tool or TVO,
        folder=None if trial.tool else trial.run.folder,
        planned=trial.planned or _whole_number_setting(trial.settings, "trainer.steps"),
        prompts=_whole_number_setting(trial.settings, "rollout.prompts"),
        samples=_whole_number_setting(trial.settings, "rollout.samples"),
        settings=trial.settings,
    )


def _whole_number_setting(settings: Mapping[str, Any], key: str) -> int | None:
    """A whole number above 0 from the settings of a run that is read; None for anything else."""
    value = settings.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def with_reward_terms(row: Mapping[str, Any]) -> Row:
    """Return a row to diagnose with the functions of a reward under our names: reward/NAME and reward/NAME/std."""
    out = {}
    for name, value in row.items():
        matched = TERM.fullmatch(name) if "rewards/" in name else None
        ours = name
        if matched:
            part = "" if matched[3] == "mean" else "/std"
            ours = f"{matched[1] or ''}reward/{matched[2]}{part}"
        out[ours] = value
    return out


def logged_accuracy_term(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the function of a reward that is an accuracy by its name and its values in all rows to diagnose.

    None where the rows have an accuracy, or no such function.
    """
    names = columns_of(rows)
    if "accuracy/fresh" in names:
        return None
    terms = (name for name in sorted(names) if name.startswith("reward/") and not name.endswith("/std"))
    named = (name for name in terms if CORRECTNESS.search(name))
    return next((name for name in named if all(0.0 <= row[name] <= 1.0 for row in rows if name in row)), None)


def _with_accuracy(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Rows with an accuracy where a reward's function is one by its name and its values; unchanged otherwise."""
    found = logged_accuracy_term(rows)
    if found is None:
        return rows
    return tuple({**row, "accuracy/fresh": row[found]} if found in row else row for row in rows)


def _unknown_columns(rows: Sequence[Row]) -> Iterator[str]:
    """Yield notes on columns that were read for nothing and are spelled much like one that is missing."""
    names = columns_of(rows) - {"step"}
    missing = READ - names
    for name in sorted(name for name in names if not is_known_metric(name) and name not in READ):
        near = [one for one in closest_names(name.replace("_", "/", 1), missing, n=2) if one]
        if near:
            yield f"the column {name} is not known; nearest: {', '.join(near)} (--mapping names it)"
