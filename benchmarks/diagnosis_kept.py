"""Logs of runs with faults kept in the repository, so that a measurement goes on where another machine stopped."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.diagnosis_logs import CLIP_NORM, LabelledLog
from benchmarks.diagnosis_runs import FaultRun

DIGITS = 5  # of a value: a metric has no more that a rule could see


def kept_log(run: FaultRun, folder: Path, make: Callable[[FaultRun], LabelledLog]) -> LabelledLog:
    """The log of a run from its file in the folder; made and kept where there is none."""
    file = folder / f"{run.fault.name}-{run.algorithm.replace(' ', '_')}-s{run.seed}.json.gz"
    if file.is_file():
        return LabelledLog(**{"clip_norm": CLIP_NORM} | json.loads(gzip.decompress(file.read_bytes())))
    log = make(run)
    folder.mkdir(parents=True, exist_ok=True)
    told = asdict(log) | {"rows": [{name: _short(value) for name, value in row.items()} for row in log.rows]}
    file.write_bytes(gzip.compress(json.dumps(told).encode(), mtime=0))
    return log


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
