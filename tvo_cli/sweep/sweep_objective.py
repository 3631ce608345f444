"""The objective of a sweep: the one number of a job that an optimising sweeper gets, or that the job failed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tvo_cli.tracking import metrics_file


class JobWithoutObjective(Exception):
    """A job did not end well, and has reported it; holding only a number, it passes between processes."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def value_for_sweeper(folder: Path, name: str | None) -> float | None:
    """Return a metric's last value in a run folder: of metrics.jsonl, else anywhere in summary.json; None without."""
    if not name:
        return None
    rows = metrics_file.read_metrics(folder / "metrics.jsonl")
    found = next((row[name] for row in reversed(rows) if name in row), None)
    value = found if found is not None else _find_objective(_read_summary_with_objective(folder / "summary.json"), name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _read_summary_with_objective(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _find_objective(tree: Any, name: str) -> Any:
    """Return what stands under a name or a dotted path, at the root or in any mapping below."""
    if not isinstance(tree, dict):
        return None
    head, _, rest = name.partition(".")
    found = tree.get(name) if name in tree or not rest else _find_objective(tree.get(head), rest)
    below = (_find_objective(child, name) for child in tree.values())
    return found if found is not None else next((one for one in below if one is not None), None)
