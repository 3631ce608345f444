"""A finished run on disk, small, with every part a report reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.tracking.atomic_files import write_json_atomically, write_text_atomically
from tvo_cli.tracking.metrics_file import MetricsFile

CONFIG = """
seed: 3
algorithm: {name: ALGORITHM}
model: {name: tiny}
dataset: {name: addition}
trainer: {steps: 6}
evaluation: {confidence: 0.9}
"""
FIRING = {"rule": "entropy_floor", "step": 4, "value": 0.0123, "threshold": 0.05, "severity": "collapse"}
COLLAPSED = {"verdict": "collapsed", "collapsed_at": 4, "firings": [FIRING]}
HEALTHY: dict[str, object] = {"verdict": "healthy", "collapsed_at": None, "firings": []}


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder; what it holds can be varied."""

    def make(
        name: str = "run",
        *,
        algorithm: str = "tvo",
        steps: int = 6,
        collapsed: bool = False,
        summary: dict[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / name
        write_text_atomically(folder / "config.yaml", CONFIG.replace("ALGORITHM", algorithm))
        _write_metrics(folder / "metrics.jsonl", steps)
        write_json_atomically(folder / "collapse.json", COLLAPSED if collapsed else HEALTHY)
        written = {"steps": steps, "rollouts": 3840, "seconds": 125.0} if summary is None else summary
        if written:
            write_json_atomically(folder / "summary.json", written)
        return folder

    return make


def _write_metrics(path: Path, steps: int) -> None:
    """An evaluation, so many steps, an evaluation."""
    file = MetricsFile(path)
    file.append(0, {"eval/pass@1": 0.25, "eval/pass@1_low": 0.2, "eval/pass@1_high": 0.3})
    for step in range(1, steps + 1):
        file.append(step, _row(step))
    file.append(steps, {"eval/pass@1": 0.75, "eval/pass@1_low": 0.7, "eval/pass@1_high": 0.8})


def _row(step: int) -> dict[str, float]:
    return {
        "reward/mean": step / 8,
        "accuracy/fresh": step / 10,
        "policy/entropy": 0.6 - step / 20,
        "gradient/variance": 10.0**-step,
        "gradient/norm": 1.0,
        "policy/tv": 0.01,
        "thermo/viscosity": 10.0 + step,
        "thermo/set_point": 0.02,
        "grader/failed": 1.0 if step == 2 else 0.0,
    }
