"""Finds the runs below the given paths. Every folder that looks like a run becomes a trial, whatever its state."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli.compare.runs import evaluations, other_tools, run_folder, sweeps
from tvo_cli.compare.runs.run_record import Trial
from tvo_cli.compare.runs.settings import flat
from tvo_cli.errors import UserError
from tvo_cli.report.runs import Run

CHECKPOINT = re.compile(r"checkpoint-(\d+)$")
SHOW = 3  # runs named in a note before it counts the rest


class Gathered(NamedTuple):
    """The trials, and everything about them that a reader must know."""

    trials: tuple[Trial, ...]
    notes: tuple[str, ...]


def gather(paths: Sequence[Path], mapping: Path | None = None) -> Gathered:
    """Every run below the paths; UserError when there is none."""
    found = _Found(other_tools.translation(mapping))
    for path in paths:
        if not path.exists():
            raise UserError("runs", path, "there is no such folder or file.")
        found.search(path)
    if not found.trials:
        remedy = "A run has a metrics.jsonl; other tools' files are read with --mapping (docs/compare.md)."
        raise UserError("runs", ", ".join(map(str, paths)), "no run was found there.", remedy)
    trials = tuple(sorted(found.trials.values(), key=lambda trial: (trial.source, _natural(trial.name))))
    notes = [f"{_named(names)}: {complaint}." for complaint, names in found.said.items()]
    return Gathered(trials, (*notes, *_nan_notes(trials)))


class _Found:
    """What a search has found so far: trials by their place, and complaints with the names they are about."""

    def __init__(self, chosen: other_tools.Translation) -> None:
        self.trials: dict[Path, Trial] = {}
        self.said: dict[str, list[str]] = {}
        self._chosen = chosen
        self._places: set[Path] = set()

    def search(self, path: Path) -> None:
        jobs: dict[Path, sweeps.Job] = {}
        for place, kind in _places(path, self._chosen.file):
            if kind == "sweep":
                more, complaints = sweeps.jobs(place)
                jobs |= more
                self._say(complaints, str(place))
            else:
                self._take(place, kind, path)
        self.trials |= {at: sweeps.told(self.trials[at], job) for at, job in jobs.items() if at in self.trials}
        lost = sweeps.lost(jobs, self.trials, str(path))
        known = [trial for trial in self.trials.values() if trial.source == str(path)]
        self.trials |= {trial.run.folder: sweeps.completed(trial, known) for trial in lost}

    def _take(self, place: Path, kind: str, path: Path) -> None:
        trials, complaints = _read(place, kind, path, self._chosen)
        if place.resolve() in self._places:
            complaints = ["named by more than one of the given paths; it counts once"]
        elif len(trials) == 1:
            self.trials[place.resolve()] = trials[0]
        else:
            self.trials |= {place.resolve() / trial.name: trial for trial in trials}
        self._places.add(place.resolve())
        self._say(complaints, trials[0].name)

    def _say(self, complaints: Sequence[str], name: str) -> None:
        for complaint in complaints:
            self.said.setdefault(complaint, []).append(name)


def _places(path: Path, file: str) -> Iterator[tuple[Path, str]]:
    """Places with their kind: run, evaluation, trl, plain, sweep; a run's own folders are not searched."""
    if path.is_file():
        yield path, "trl" if path.name == other_tools.TRL.file else "plain"
        return
    seen: set[str] = set()
    for folder, below, files in os.walk(path, followlinks=True):
        if os.path.realpath(folder) in seen:  # a link that leads back
            below.clear()
            continue
        seen.add(os.path.realpath(folder))
        below.sort()
        if sweeps.INDEX in files:
            yield Path(folder) / sweeps.INDEX, "sweep"
        kind = _kind(Path(folder), files, file)
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


def _kind(folder: Path, files: Sequence[str], file: str) -> list[tuple[Path, str]]:
    if run_folder.is_evaluation(files):
        return [(folder, "evaluation")]
    if "config.yaml" in files and run_folder.is_run(files):
        return [(folder, "run")]
    if file in files and file != other_tools.TRL.file:
        return [(folder / file, "plain")]
    if other_tools.TRL.file in files:
        return [(folder / other_tools.TRL.file, "trl")]
    return [(folder / "metrics.jsonl", "plain")] if "metrics.jsonl" in files else []


def _read(place: Path, kind: str, path: Path, chosen: other_tools.Translation) -> tuple[list[Trial], list[str]]:
    source = str(path)
    if kind in ("trl", "plain"):
        how = chosen if chosen.file == place.name or kind == "plain" else other_tools.TRL
        folder = place.parent.parent if CHECKPOINT.match(place.parent.name) else place.parent
        trial, said = other_tools.read(place, _name(folder, path), source, how)
        return [trial], said
    if kind == "evaluation":
        return evaluations.trials(place, _name(place, path), source)
    run, said = run_folder.read(place)
    settings = flat(run.config)
    planned = settings.get("trainer.steps")
    state, why = run_folder.state(run, planned if isinstance(planned, int) else 0)
    return [Trial(_name(place, path), source, run, settings, state, why)], said


def _name(folder: Path, path: Path) -> str:
    given = path if path.is_dir() else path.parent
    inside = folder.relative_to(given) if folder.is_relative_to(given) else folder
    return inside.as_posix() if inside != Path() else given.resolve().name


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Numbers inside a name count as numbers: s2 comes before s10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _named(names: Sequence[str]) -> str:
    more = len(names) - SHOW
    return ", ".join(names[:SHOW]) + (f" and {more} more" if more > 0 else "")


def _nan_notes(trials: Sequence[Trial]) -> Iterator[str]:
    """Rewards that are not finite: how many, and where."""
    found = {trial.name: _broken(trial.run) for trial in trials}
    broken = {name: count for name, count in found.items() if count}
    if broken:
        total = sum(broken.values())
        yield f"{_named(list(broken))}: reward or accuracy is not finite at {total} steps; they enter no mean."


def _broken(run: Run) -> int:
    names = ("reward/mean", "accuracy/fresh")
    return sum(any(not _finite(row[name]) for name in names if name in row) for row in run.steps)


def _finite(value: float) -> bool:
    return value - value == 0
