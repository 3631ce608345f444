"""Gathering of the runs below the given paths: every folder that looks like a run becomes a trial."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tvo_cli.errors import UserError
from tvo_cli.report.run_folder_reading import LoadedRun
from tvo_cli.runs import (
    evaluation_folders,
    other_tools,
    own_run_folders,
    sweep_jobs,
    tensorboard_events,
    wandb_runs,
)
from tvo_cli.runs.tolerant_run_reading import read_run_folder
from tvo_cli.runs.tool_mappings import SFT
from tvo_cli.runs.trial import Trial
from tvo_cli.runs.trial_settings import flat_trial_settings
from tvo_cli.tracking.metric_names import is_heldout_score
from tvo_cli.tracking.run_status import SWEEP_INDEX

CHECKPOINT = re.compile(r"checkpoint-(\d+)$")
SHOW = 3  # runs named in a note before it counts the rest


class GatheredRuns(NamedTuple):
    """The trials that were found, and the notes that a reader must know."""

    trials: tuple[Trial, ...]
    notes: tuple[str, ...]


def gather_runs(paths: Sequence[Path], mapping: Path | None = None) -> GatheredRuns:
    """Gather every run below the paths; UserError when there is none."""
    found = _RunSearch(other_tools.read_tool_mapping(mapping))
    for path in paths:
        if wandb_runs.is_online_path(path):
            found.take_online(path)
            continue
        if not path.exists():
            raise UserError("runs", path, "there is no such folder or file.")
        found.search(path)
    if not found.trials:
        remedy = "A run has a metrics.jsonl; other tools' files are read with --mapping (docs/compare.md)."
        raise UserError("runs", ", ".join(map(str, paths)), "no run was found there.", remedy)
    trials = tuple(sorted(found.trials.values(), key=lambda trial: (trial.source, _gathering_sort_key(trial.name))))
    notes = [f"{_names_of_gathered_runs(names)}: {complaint}." for complaint, names in found.said.items()]
    return GatheredRuns(trials, (*notes, *_notes_on_nonfinite_values(trials)))


class _RunSearch:
    """A search for runs: the trials found so far by place, and complaints about files."""

    def __init__(self, chosen: other_tools.ToolMapping) -> None:
        self.trials: dict[Path, Trial] = {}
        self.said: dict[str, list[str]] = {}
        self._chosen = chosen
        self._places: set[Path] = set()

    def search(self, path: Path) -> None:
        jobs: dict[Path, sweep_jobs.Job] = {}
        for place, kind in _find_runs(path, self._chosen.file):
            if kind == "sweep":
                more, complaints = sweep_jobs.read_jobs_of_sweep(place)
                jobs |= more
                self._say(complaints, str(place))
            else:
                self._take(place, kind, path)
        self.trials |= {
            at: sweep_jobs.with_state_in_sweep(self.trials[at], job) for at, job in jobs.items() if at in self.trials
        }
        lost = sweep_jobs.jobs_without_folder(jobs, self.trials, str(path))
        known = [trial for trial in self.trials.values() if trial.source == str(path)]
        self.trials |= {trial.run.folder: sweep_jobs.with_settings_of_similar_run(trial, known) for trial in lost}

    def take_online(self, path: Path) -> None:
        """Read a run that W&B keeps."""
        trial, complaints = wandb_runs.read_online_run(str(path), self._chosen)
        self.trials[path] = trial
        self._say(complaints, trial.name)

    def _take(self, place: Path, kind: str, path: Path) -> None:
        trials, complaints = _read_found_run(place, kind, path, self._chosen)
        if place.resolve() in self._places:
            complaints = ["named by more than one of the given paths; it counts once"]
        elif len(trials) == 1:
            self.trials[(place.parent if kind == "sft" else place).resolve()] = trials[0]  # as a sweep names its jobs
        else:
            self.trials |= {place.resolve() / trial.name: trial for trial in trials}
        self._places.add(place.resolve())
        self._say(complaints, trials[0].name)

    def _say(self, complaints: Sequence[str], name: str) -> None:
        for complaint in complaints:
            self.said.setdefault(complaint, []).append(name)


def _find_runs(path: Path, file: str) -> Iterator[tuple[Path, str]]:
    """Yield places with their kind: run, evaluation, trl, plain, tensorboard, wandb, sweep; not inside a run."""
    if path.is_file():
        yield path, _log_format_of_file(path)
        return
    seen: set[str] = set()
    for folder, below, files in os.walk(path, followlinks=True):
        if os.path.realpath(folder) in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(os.path.realpath(folder))
        below.sort()
        if SWEEP_INDEX in files:
            yield Path(folder) / SWEEP_INDEX, "sweep"
        kind = _kind_of_run_folder(Path(folder), files, file)
        if kind:
            below.clear()
            yield from kind
            continue
        states = sorted((name for name in below if CHECKPOINT.match(name)), key=lambda name: int(name.split("-")[1]))
        last = [Path(folder) / name / other_tools.TRL.file for name in states]
        last = [state for state in last if state.is_file()]
        if last:  # TRL saved checkpoints only: the newest holds the whole history
            below[:] = [name for name in below if not CHECKPOINT.match(name)]
            yield last[-1], "trl"


def _log_format_of_file(path: Path) -> str:
    """Which reader a file that was gathered needs: sft, wandb, tensorboard, trl, or plain rows."""
    if path.name == "metrics.jsonl" and own_run_folders.is_fine_tuning(path.parent):
        return "sft"
    if path.suffix == wandb_runs.SUFFIX:
        return "wandb"
    if path.name.startswith(tensorboard_events.PREFIX):
        return "tensorboard"
    return "trl" if path.name == other_tools.TRL.file else "plain"


def _kind_of_run_folder(folder: Path, files: Sequence[str], file: str) -> list[tuple[Path, str]]:
    """Return the runs that a folder with these files is, each with its kind."""
    if evaluation_folders.is_evaluation_trial_folder(files):
        return [(folder, "evaluation")]
    if "config.yaml" in files and own_run_folders.is_run_folder(files):
        return [(folder, "run")]
    if "metrics.jsonl" in files and own_run_folders.is_fine_tuning(folder):
        return [(folder / "metrics.jsonl", "sft")]
    if file in files and file != other_tools.TRL.file:
        return [(folder / file, "plain")]
    if other_tools.TRL.file in files:
        return [(folder / other_tools.TRL.file, "trl")]
    if "metrics.jsonl" in files:
        return [(folder / "metrics.jsonl", "plain")]
    if any(name.startswith(tensorboard_events.PREFIX) for name in files):
        return [(folder, "tensorboard")]
    return [(folder / name, "wandb") for name in sorted(files) if name.endswith(wandb_runs.SUFFIX)]


def _read_found_run(
    place: Path, kind: str, path: Path, chosen: other_tools.ToolMapping
) -> tuple[list[Trial], list[str]]:
    """Read a run that the search has found, and what was wrong with it."""
    source = str(path)
    if kind in ("trl", "plain"):
        how = chosen if chosen.file == place.name or kind == "plain" else other_tools.TRL
        folder = place.parent.parent if CHECKPOINT.match(place.parent.name) else place.parent
        trial, said = other_tools.read_other_tools_run(place, _name_of_file(place, folder, path, how), source, how)
        return [trial], said
    if kind == "sft":
        how = replace(SFT, planned=own_run_folders.planned_fine_tuning(place.parent))
        trial, said = other_tools.read_other_tools_run(place, _name_below_path(place.parent, path), source, how)
        return [replace(trial, run=own_run_folders.with_final_evaluation(trial.run))], said
    if kind in ("tensorboard", "wandb"):
        read = tensorboard_events.read_event_files if kind == "tensorboard" else wandb_runs.read_offline_run
        folder = place if place.is_dir() else place.parent
        trial, said = other_tools.trial_of_rows(read(place), folder, _name_below_path(folder, path), source, chosen)
        return [trial], said
    if kind == "evaluation":
        return evaluation_folders.trials_of_evaluation_folder(place, _name_below_path(place, path), source)
    run, said = read_run_folder(place)
    settings = flat_trial_settings(run.config)
    planned = settings.get("trainer.steps")
    state, why = own_run_folders.state_of_own_run(run, planned if isinstance(planned, int) else 0)
    return [Trial(_name_below_path(place, path), source, run, settings, state, why)], said


def _name_of_file(place: Path, folder: Path, path: Path, how: other_tools.ToolMapping) -> str:
    """Return the name of a run that is one file: its folder's, or its own where its name is not the usual one."""
    usual = (how.file, other_tools.TRL.file, "metrics.jsonl")
    return place.stem if path == place and place.name not in usual else _name_below_path(folder, path)


def _name_below_path(folder: Path, path: Path) -> str:
    """Return a run's name: its path below the path that was given."""
    given = path if path.is_dir() else path.parent
    inside = folder.relative_to(given) if folder.is_relative_to(given) else folder
    return inside.as_posix() if inside != Path() else given.resolve().name


def _gathering_sort_key(name: str) -> list[tuple[bool, int, str]]:
    """Return a sort key in which numbers inside a name count as numbers: s2 comes before s10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _names_of_gathered_runs(names: Sequence[str]) -> str:
    """Return the names of the first runs of a note; the rest are counted."""
    more = len(names) - SHOW
    return ", ".join(names[:SHOW]) + (f" and {more} more" if more > 0 else "")


def _notes_on_nonfinite_values(trials: Sequence[Trial]) -> Iterator[str]:
    """Yield notes on rewards and held-out scores that are not finite: how many, and where."""
    found = {trial.name: _nonfinite_steps_of_gathered_run(trial.run) for trial in trials}
    broken = {name: count for name, count in found.items() if count}
    if broken:
        total = sum(broken.values())
        runs = _names_of_gathered_runs(list(broken))
        yield f"{runs}: reward or accuracy is not finite at {total} steps; they enter no mean."

    scores: dict[tuple[str, int], list[str]] = {}
    for trial in trials:
        for score, count in _nonfinite_scores_of_run(trial.run).items():
            scores.setdefault((score, count), []).append(trial.name)
    for (score, count), names in scores.items():
        evaluations = f"{count} evaluation{'s' if count > 1 else ''}"
        yield f"{_names_of_gathered_runs(names)}: {score} is not finite at {evaluations}."


def _nonfinite_scores_of_run(run: LoadedRun) -> Counter[str]:
    """Return how often each held-out score of a run is not finite."""
    return Counter(
        name
        for row in run.evaluations
        for name, value in row.items()
        if is_heldout_score(name) and not _is_finite_gathered_reward(value)
    )


def _nonfinite_steps_of_gathered_run(run: LoadedRun) -> int:
    names = ("reward/mean", "accuracy/fresh")
    return sum(any(not _is_finite_gathered_reward(row[name]) for name in names if name in row) for row in run.steps)


def _is_finite_gathered_reward(value: float) -> bool:
    """Return whether a reward or accuracy is finite."""
    return value - value == 0
