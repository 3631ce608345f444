"""What a sweeper is told of a job: one number to optimise, or that it did not end well."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tvo_cli.tracking import metrics


class Unfinished(Exception):
    """A job did not end well, and has said so; with nothing but a number in it, it passes between processes."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def objective(folder: Path, name: str | None) -> float | None:
    """The last value of a metric in a run folder: of metrics.jsonl, else anywhere in summary.json; None without."""
    if not name:
        return None
    rows = metrics.read(folder / "metrics.jsonl")
    found = next((row[name] for row in reversed(rows) if name in row), None)
    value = found if found is not None else _search(_summary(folder / "summary.json"), name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _summary(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _search(tree: Any, name: str) -> Any:
    """What stands under a name or a dotted path, at the root or in any mapping below."""
    if not isinstance(tree, dict):
        return None
    head, _, rest = name.partition(".")
    found = tree.get(name) if name in tree or not rest else _search(tree.get(head), rest)
    below = (_search(child, name) for child in tree.values())
    return found if found is not None else next((one for one in below if one is not None), None)
