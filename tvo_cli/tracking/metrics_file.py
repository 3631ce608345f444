"""The file metrics.jsonl: one strict JSON line a step, flushed, every float exactly.

An evaluation has a line of its own (only `eval/…` beside the step), so that a step's line is never rewritten.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking.atomic_files import write_text_atomically
from tvo_cli.tracking.json_decoding import decode_json
from tvo_cli.tracking.metric_names import EVALUATION

Row = dict[str, Any]
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode_float(value: float) -> float | str:
    """Return a float for metrics.jsonl: itself, or a text where it is not finite."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def metrics_line(step: int, metrics: Mapping[str, float]) -> str:
    """Return a step's metrics as one line of metrics.jsonl."""
    row = {"step": step} | {name: encode_float(value) for name, value in metrics.items()}
    return json.dumps(row, allow_nan=False) + "\n"


def parse_metrics_line(text: str) -> Row:
    """Return the row of a line of metrics.jsonl; `nan`, `inf` and `-inf` are numbers again."""
    row = decode_json(text)
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise ValueError("not a metrics row")
    if text.count('"') == 2 * len(row):  # its names are the only texts
        return row
    return {name: NOT_FINITE.get(value, value) if isinstance(value, str) else value for name, value in row.items()}


def is_evaluation_row(row: Row) -> bool:
    """Return whether a row of metrics.jsonl is an evaluation's."""
    for name in row:  # noqa: SIM110 - a loop takes a third of the time, and every row of a log is asked
        if name != "step" and not name.startswith(EVALUATION):
            return False
    return True


def read_metrics(path: Path) -> list[Row]:
    """Read all whole rows of metrics.jsonl; a torn last line is left out, any other broken line is an error."""
    rows, _ = _read_metrics_and_tear(path)
    return rows


def training_seconds(path: Path) -> float:
    """Return the seconds of all training steps in metrics.jsonl."""
    return math.fsum(float(row.get("time/step", 0.0)) for row in read_metrics(path))


def _read_metrics_and_tear(path: Path) -> tuple[list[Row], bool]:
    """Read all whole rows of metrics.jsonl, and whether its last line is torn."""
    if not path.exists():
        return [], False
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows, torn = [], bool(lines[-1])
    for number, text in enumerate(lines[:-1], start=1):
        try:
            rows.append(parse_metrics_line(text))
        except ValueError as error:
            if number < len(lines) - 1:
                raise UserError(str(path), f"line {number}", "is not a metrics row.") from error
            torn = True
    return rows, torn


def last_training_row(path: Path, enough: int = 1 << 16) -> Row:
    """Return the last whole row of a training step, read from the end of metrics.jsonl; empty without one."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - enough)
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").split("\n")[1 if start else 0 : -1]
    except OSError:
        return {}
    for text in reversed(lines):
        try:
            row = parse_metrics_line(text)
        except ValueError:
            continue
        if not is_evaluation_row(row):
            return row
    return {}


def last_training_step(path: Path) -> int:
    """Return the last training step in metrics.jsonl; 0 before the first."""
    return int(last_training_row(path).get("step", 0))


class MetricsFile:
    """The open metrics.jsonl of a run: appends rows; removes the rows of steps that will be done again."""

    def __init__(self, path: Path, say: Callable[[str], None] = print) -> None:
        self.path = path
        rows, torn = _read_metrics_and_tear(path)
        if torn:
            self._rewrite(rows)
            say(f"{path}: the last line was torn (the run was killed while writing) and has been removed")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def append(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write one row and hand it to the operating system at once."""
        self._file.write(metrics_line(step, metrics))
        self._file.flush()

    def sync(self) -> None:
        """Have what was written reach the disk."""
        os.fsync(self._file.fileno())

    def last_step(self) -> int:
        """The step of the last row; −1 without one."""
        return max((int(row["step"]) for row in read_metrics(self.path)), default=-1)

    def truncate_after(self, step: int) -> int:
        """Forget the rows of later steps; how many there were."""
        return self._keep(lambda row: row["step"] <= step)

    def forget_from(self, step: int, *, evaluations: bool) -> int:
        """Forget the evaluations, or the training steps, from this step on; how many there were."""
        return self._keep(lambda row: row["step"] < step or is_evaluation_row(row) != evaluations)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _keep(self, wanted: Callable[[Row], bool]) -> int:
        rows = read_metrics(self.path)
        kept = [row for row in rows if wanted(row)]
        if len(kept) < len(rows):
            self._file.close()
            self._rewrite(kept)
            self._file = self.path.open("a", encoding="utf-8")
        return len(rows) - len(kept)

    def _rewrite(self, rows: Iterable[Row]) -> None:
        lines = (metrics_line(row["step"], {k: v for k, v in row.items() if k != "step"}) for row in rows)
        write_text_atomically(self.path, "".join(lines))
