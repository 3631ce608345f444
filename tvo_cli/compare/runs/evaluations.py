"""Folders of `tvo eval`: a trial for every suite, with the settings of the run whose policy was evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.compare.runs import run_folder
from tvo_cli.compare.runs.run_record import FINISHED, UNFINISHED, Trial
from tvo_cli.compare.runs.settings import flat
from tvo_cli.report.runs import Run

SUITE, EVALUATED = "suite", "evaluated"  # the latter: the path of the model


def trials(place: Path, name: str, source: str) -> tuple[list[Trial], list[str]]:
    """What an evaluation folder holds, and what was wrong with it."""
    summary, said = run_folder.mapping(place / "summary.json")
    config, more = run_folder.mapping(place / "config.yaml")
    told = flat(config) or {key: value for key, value in summary.items() if isinstance(value, str | int | float)}
    path = str(summary.get("model") or told.get("model.path") or "")
    own = {key: value for key, value in told.items() if key.startswith(("model", "seed"))}
    settings = {**(trained(path, place) or own), EVALUATED: path}
    suites = summary.get("suites")
    if isinstance(suites, Mapping) and suites:
        found = [_suite(place, config, summary, str(suite)) for suite in suites]
        return [
            Trial(f"{name}/{suite}", source, run, {**settings, SUITE: suite}, *state) for suite, run, state in found
        ], [
            *said,
            *more,
        ]
    row: dict[str, Any] = {"step": 0} | dict(run_folder.scores(summary.get("evaluation", {})))
    run = Run(place, config, [], [row] if len(row) > 1 else [], summary, {})
    state = (FINISHED, "") if run.evaluations else (UNFINISHED, "no score yet; still going, or killed")
    return [Trial(name, source, run, settings, *state)], [*said, *more]


def _suite(
    place: Path, config: Mapping[str, Any], summary: Mapping[str, Any], name: str
) -> tuple[str, Run, tuple[str, str]]:
    """One suite's figures under the names that metrics have."""
    figures = summary["suites"][name]
    told = figures if isinstance(figures, Mapping) else {}
    row: dict[str, Any] = {"step": 0} | dict(_scores(told))
    run = Run(place, config, [], [row] if len(row) > 1 else [], told, {})
    return name, run, (FINISHED, "") if run.evaluations else (UNFINISHED, "not graded yet")


def _scores(figures: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
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


def trained(path: str, place: Path) -> dict[str, Any]:
    """The settings of the run that made the policy at a path, when it is still there: what an arm is named by."""
    start = Path(path)
    for root in (Path(), *place.resolve().parents) if path and not start.is_absolute() else (Path(),):
        for folder in (root / start, *list((root / start).parents)[:4]):
            if (folder / "metrics.jsonl").is_file() and (folder / "config.yaml").is_file():
                config, _ = run_folder.mapping(folder / "config.yaml")
                return {key: value for key, value in flat(config).items() if not key.startswith("evaluation.")}
    return {}
