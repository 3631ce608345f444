"""Optimising sweepers (Optuna, Nevergrad): the best job in a line, and Optuna's own log silenced."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tvo_cli import escaping
from tvo_cli.sweep.sweep_index import SweepIndex

RESULTS = "optimization_results.yaml"  # Hydra's optimising sweepers write it when a search has ended
LISTING = "BasicSweeper"


def is_optimising_sweeper(sweeper: Any) -> bool:
    """Return whether Hydra's sweeper searches for the best job, and does not only list jobs."""
    return not str(sweeper.get("_target_", LISTING)).endswith(LISTING)


def silence_optuna(sweeper: Any) -> None:
    """Silence Optuna's log on stderr; the best job is printed at the end."""
    if "optuna" in str(sweeper.get("_target_", "")).lower():
        with suppress(ImportError):
            importlib.import_module("optuna")  # which sets its own level when it is imported
        logging.getLogger("optuna").setLevel(logging.WARNING)


def optimiser_best_job_lines(folder: Path, shown: Path, objective: str | None) -> list[str]:
    """Return the lines that name the best job: its settings, its value, its folder."""
    from omegaconf import OmegaConf

    path = folder / RESULTS
    if not path.is_file():
        return []
    found = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    if not isinstance(found, dict):
        return []
    told = [
        _optimiser_best_job_line(folder, shown, objective or "value", won, value)
        for won, value in _optimiser_best_settings(found)
    ]
    return [*map(escaping.terminal, told), f"All of the search is in {shown / RESULTS}"] if told else []


def _optimiser_best_settings(found: Mapping[Any, Any]) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield settings and value of the best job, as optuna and nevergrad write them."""
    for params, value in (("best_params", "best_value"), ("best_evaluated_params", "best_evaluated_result")):
        if isinstance(found.get(params), Mapping):
            yield found[params], found.get(value)
    for one in found.get("solutions") or ():
        yield one["params"], one["values"]


def _optimiser_best_job_line(folder: Path, shown: Path, objective: str, won: Mapping[str, Any], value: Any) -> str:
    """The line on the best job of an optimising sweeper: its value, settings and folder."""
    number = f"{value:.4g}" if isinstance(value, int | float) else str(value)
    settings = [f"{key}={setting}" for key, setting in won.items()]
    jobs = [job for job in SweepIndex(folder).jobs.values() if set(settings) <= set(job.overrides)]
    place = f", in {shown / jobs[-1].folder}" if jobs else ""
    return f"best: {objective} = {number} with {' '.join(settings)}{place}"
