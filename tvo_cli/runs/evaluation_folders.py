"""Folders of `tvo eval` as trials: one for every suite, with the settings of the run that was evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.report.run_folder_reading import LoadedRun
from tvo_cli.runs.tolerant_run_reading import read_run_mapping, scores_of_own_summary
from tvo_cli.runs.trial import FINISHED, UNFINISHED, Trial
from tvo_cli.runs.trial_settings import flat_trial_settings

SUITE, EVALUATED = "suite", "evaluated"  # the latter: the path of the model


def trials_of_evaluation_folder(place: Path, name: str, source: str) -> tuple[list[Trial], list[str]]:
    """Return the trials of an evaluation folder, and what was wrong with its files."""
    summary, said = read_run_mapping(place / "summary.json")
    config, more = read_run_mapping(place / "config.yaml")
    told = flat_trial_settings(config) or {
        key: value for key, value in summary.items() if isinstance(value, str | int | float)
    }
    path = str(summary.get("model") or told.get("model.path") or "")
    own = {key: value for key, value in told.items() if key.startswith(("model", "seed"))}
    settings = {**(settings_of_evaluated_run(path, place) or own), EVALUATED: path}
    suites = summary.get("suites")
    if isinstance(suites, Mapping) and suites:
        found = [_run_of_suite(place, config, summary, str(suite)) for suite in suites]
        return [
            Trial(f"{name}/{suite}", source, run, {**settings, SUITE: suite}, *state) for suite, run, state in found
        ], [
            *said,
            *more,
        ]
    row: dict[str, Any] = {"step": 0} | dict(scores_of_own_summary(summary.get("evaluation", {})))
    run = LoadedRun(place, config, [], [row] if len(row) > 1 else [], summary, {})
    state = (FINISHED, "") if run.evaluations else (UNFINISHED, "no score yet; still running, or killed")
    return [Trial(name, source, run, settings, *state)], [*said, *more]


def _run_of_suite(
    place: Path, config: Mapping[str, Any], summary: Mapping[str, Any], name: str
) -> tuple[str, LoadedRun, tuple[str, str]]:
    """Return one suite's scores as a run, under the names that metrics have."""
    figures = summary["suites"][name]
    told = figures if isinstance(figures, Mapping) else {}
    row: dict[str, Any] = {"step": 0} | dict(_scores_of_suite(told))
    run = LoadedRun(place, config, [], [row] if len(row) > 1 else [], told, {})
    return name, run, (FINISHED, "") if run.evaluations else (UNFINISHED, "not graded yet")


def _scores_of_suite(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    means = {
        "maj": figures.get("maj"),
        "greedy": figures.get("greedy"),
        "pass@1": figures.get("avg") or figures.get("greedy"),
    }
    passes = figures.get("pass")
    means |= {f"pass@{k}": part for k, part in passes.items()} if isinstance(passes, Mapping) else {}
    for name, part in means.items():
        if isinstance(part, Mapping) and isinstance(part.get("mean"), int | float):
            yield f"eval/{name}", float(part["mean"])
    for name in ("length", "truncated", "unanswered"):
        if isinstance(figures.get(name), int | float):
            yield f"eval/{name}", float(figures[name])


def trials_of_suite(trials: Sequence[Trial], metric: str) -> tuple[Sequence[Trial], str]:
    """Return the trials of the suite that a metric's name begins with, `math500/eval/pass@1`, and the name in a suite.

    All trials and the metric as it is where its name begins with no suite, or where a run has a metric of that name.
    """
    suite, at, name = metric.partition("/eval/")
    known = sorted({str(trial.settings[SUITE]) for trial in trials if SUITE in trial.settings})
    if not at or not known or any(trial.has(metric) for trial in trials):
        return trials, metric
    if suite not in known:
        raise UserError("--metric", metric, "there is no such suite.", f"Suites: {', '.join(known)}.")
    return [trial for trial in trials if str(trial.settings.get(SUITE)) == suite], f"eval/{name}"


def settings_of_evaluated_run(path: str, place: Path) -> dict[str, Any]:
    """Return the settings of the run that made the evaluated policy, while its folder is still there."""
    start = Path(path)
    for root in (Path(), *place.resolve().parents) if path and not start.is_absolute() else (Path(),):
        for folder in (root / start, *list((root / start).parents)[:4]):
            if (folder / "metrics.jsonl").is_file() and (folder / "config.yaml").is_file():
                config, _ = read_run_mapping(folder / "config.yaml")
                return {
                    key: value
                    for key, value in flat_trial_settings(config).items()
                    if not key.startswith("evaluation.")
                }
    return {}


def is_evaluation_trial_folder(names: Iterable[str]) -> bool:
    """Return whether a folder with these files is of a `tvo eval`."""
    found = set(names)
    return (
        "metrics.jsonl" not in found
        and "responses.jsonl" in found
        and bool(found & {"summary.json", "evaluation.json"})
    )
