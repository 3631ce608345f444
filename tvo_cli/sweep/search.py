"""An optimising sweeper: what its search found, in a line; and a library of it that would talk in between."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tvo_cli import escaping
from tvo_cli.sweep.index import Index

RESULTS = "optimization_results.yaml"  # Hydra's optimising sweepers write it when a search has ended
LISTING = "BasicSweeper"


def searches(sweeper: Any) -> bool:
    """Whether Hydra's sweeper looks for the best job, and does not only list jobs."""
    return not str(sweeper.get("_target_", LISTING)).endswith(LISTING)


def quieten(sweeper: Any) -> None:
    """Optuna reports each study on stderr; what it found is said at the end."""
    if "optuna" in str(sweeper.get("_target_", "")).lower():
        with suppress(ImportError):
            importlib.import_module("optuna")  # which sets its own level when it is imported
        logging.getLogger("optuna").setLevel(logging.WARNING)


def lines(folder: Path, shown: Path, objective: str | None) -> list[str]:
    """Which settings won, by what value, and where that job is; of several objectives every best one."""
    from omegaconf import OmegaConf

    path = folder / RESULTS
    if not path.is_file():
        return []
    found = OmegaConf.to_container(OmegaConf.create(path.read_text(encoding="utf-8")))
    if not isinstance(found, dict):
        return []
    told = [_line(folder, shown, objective or "value", won, value) for won, value in _best(found)]
    return [*map(escaping.terminal, told), f"All of the search is in {shown / RESULTS}"] if told else []


def _best(found: Mapping[Any, Any]) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Settings and value of the winner, as optuna and nevergrad write them."""
    for params, value in (("best_params", "best_value"), ("best_evaluated_params", "best_evaluated_result")):
        if isinstance(found.get(params), Mapping):
            yield found[params], found.get(value)
    for one in found.get("solutions") or ():
        yield one["params"], one["values"]


def _line(folder: Path, shown: Path, objective: str, won: Mapping[str, Any], value: Any) -> str:
    number = f"{value:.4g}" if isinstance(value, int | float) else str(value)
    settings = [f"{key}={setting}" for key, setting in won.items()]
    jobs = [job for job in Index(folder).jobs.values() if set(settings) <= set(job.overrides)]
    place = f", in {shown / jobs[-1].folder}" if jobs else ""
    return f"best: {objective} = {number} with {' '.join(settings)}{place}"
