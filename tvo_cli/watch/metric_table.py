"""The columns of a metrics.jsonl that grows: read from where the last reading ended, anew when it was rewritten."""

from __future__ import annotations

import math
import os
from array import array
from pathlib import Path

from tvo_cli.tracking.metrics_file import Row, is_evaluation_row, parse_metrics_line

CHUNK = 1 << 22  # bytes read at once
ABSENT = math.nan  # in a row without the metric
NOT_FINITE = math.inf  # stands for any value that is not finite


class MetricTable:
    """Rows of one kind: their steps, and a column a metric, as long as the steps or shorter where it has ended."""

    def __init__(self) -> None:
        self.steps = array("q")
        self.columns: dict[str, array[float]] = {}

    def append(self, row: Row) -> None:
        """Add a row; a step that is not after the last is there all the same, as in the file."""
        before, columns = len(self.steps), self.columns
        self.steps.append(row.pop("step"))
        for name, value in row.items():
            column = columns.get(name)
            if column is None or len(column) != before:
                column = self._padded_column(name, before)
            column.append(_column_value(value) if type(value) is not float or value - value else value)

    def _padded_column(self, name: str, rows: int) -> array[float]:
        """Return the column of a metric that the last rows did not have."""
        column = self.columns.setdefault(name, array("d"))
        column.extend([ABSENT] * (rows - len(column)))
        return column


def _column_value(value: object) -> float:
    """Return what stands for a value that is no finite float."""
    if not isinstance(value, int | float):
        return ABSENT
    return float(value) if math.isfinite(value) else NOT_FINITE


class MetricTableReader:
    """A metrics.jsonl that another process writes: `read` takes in the whole lines that have come since."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = 0  # changes whenever there is something new
        self.broken = 0  # lines that are no rows
        self._start_anew()

    def _start_anew(self) -> None:
        self.training, self.evaluation = MetricTable(), MetricTable()
        self._offset, self.broken = 0, 0
        self._file: tuple[int, int] | None = None  # device and inode of what was read

    def read(self, most: int = CHUNK) -> bool:
        """Take in at most so many bytes; whether there may be more at once. A last line without its end waits."""
        try:
            with self.path.open("rb") as file:
                self._notice_rewriting(file.fileno())
                file.seek(self._offset)
                found = file.read(most)
        except OSError:
            return False
        end = found.rfind(b"\n") + 1
        if not end and len(found) == most:  # a line longer than a chunk
            return self.read(2 * most)
        for line in found[:end].split(b"\n")[:-1]:
            self._take_in(line)
        self._offset += end
        self.version += bool(end)
        return len(found) == most

    def _notice_rewriting(self, descriptor: int) -> None:
        """Begin anew where the file is another one, or shorter: a resumed run has forgotten rows."""
        found = os.fstat(descriptor)
        if self._file is not None and (self._file != (found.st_dev, found.st_ino) or found.st_size < self._offset):
            self._start_anew()
            self.version += 1
        self._file = (found.st_dev, found.st_ino)

    def _take_in(self, line: bytes) -> None:
        try:
            row = parse_metrics_line(line.decode("utf-8", "replace"))
        except ValueError:
            self.broken += 1
            return
        (self.evaluation if is_evaluation_row(row) else self.training).append(row)

    def metric_names(self) -> set[str]:
        """Names of the metrics that have had a value."""
        return {*self.training.columns, *self.evaluation.columns}

    def column(self, name: str) -> tuple[array[int], array[float]]:
        """Steps and values of a metric; equally long."""
        table = self.evaluation if name in self.evaluation.columns else self.training
        values = table.columns.get(name, array("d"))
        return table.steps[: len(values)], values
