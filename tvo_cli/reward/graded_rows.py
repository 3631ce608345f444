"""Rows with their verdicts for `tvo grade`: graded a chunk at a time, as JSON or a table, with a summary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tvo_cli import escaping
from tvo_cli.readers.golds import SEVERAL
from tvo_cli.readers.json_records import json_record_text
from tvo_cli.readers.numbers_as_spelled import numbers_by_value
from tvo_cli.readers.text_values import HALF_SURROGATE
from tvo_cli.reward.grader import Grader
from tvo_cli.reward.rows_to_grade import RowToGrade, chunks_of_rows_to_grade
from tvo_cli.types import Problem, Verdict

WIDTHS = (24, 7, 40)  # of the table's first columns: id, correct, extracted


@dataclass(slots=True)
class GradingSummary:
    """What became of the rows so far."""

    rows: int = 0
    right: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    left_out: int = 0  # rows that cannot be read
    several: int = 0  # golds that are lists
    notes: list[str] = field(default_factory=list)  # what is odd about the file
    start: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the first row was asked for."""
        return time.monotonic() - self.start

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count a chunk."""
        for verdict in verdicts:
            self.rows += 1
            self.right += verdict.correct
            (self.failures if verdict.failed else self.reasons)[verdict.reason] += 1

    def lines(self) -> list[str]:
        """For people."""
        share = f" ({self.right / self.rows:.2%})" if self.rows else ""
        speed = self.rows / max(self.seconds, 1e-9)
        said = [f"{self.rows:,} rows, {self.right:,} right{share}, {self.seconds:.1f} s, {speed:,.0f} rows/s"]
        if self.reasons:
            said.append("reasons: " + _reasons_of_graded_rows(self.reasons))
        failed = sum(self.failures.values())
        said.append(
            f"the grader failed on {failed} rows" + (f": {_reasons_of_graded_rows(self.failures)}" if failed else "")
        )
        if self.left_out:
            said.append(f"rows left out, since they cannot be read: {self.left_out:,}")
        said += [f"{self.several:,} {SEVERAL}"] if self.several else []
        return said + self.notes


def grade_in_chunks(
    rows: Iterable[RowToGrade], grader: Grader, summary: GradingSummary
) -> Iterator[list[tuple[RowToGrade, Verdict]]]:
    """Rows with their verdicts, in order, as many at once as `chunks` allows."""
    for chunk in chunks_of_rows_to_grade(rows):
        asked = [_problem_of_row(row, whole=bool(grader.settings.scorer)) for row in chunk]
        verdicts = grader.grade([row.prediction for row in chunk], asked, [True] * len(chunk))
        summary.add(verdicts)
        summary.several += sum(row.several for row in chunk)
        summary.notes += [row.note for row in chunk if row.note]
        yield list(zip(chunk, verdicts, strict=True))


def _problem_of_row(row: RowToGrade, *, whole: bool) -> Problem:
    """The problem that a row answers; `whole`: with the row's fields, which an own scorer may read."""
    fields = numbers_by_value(row.fields) if whole else {}
    return Problem(row.id, row.question, row.gold, source="rows", metadata=fields)


def graded_row_fields(row: RowToGrade, verdict: Verdict, *, audit: bool = False) -> dict[str, Any]:
    """The row's own fields and the verdict."""
    said: dict[str, Any] = {"correct": verdict.correct, "extracted": verdict.extracted, "reason": verdict.reason}
    if audit:
        said["second"] = verdict.second
    return row.fields | said


def graded_row_as_json(row: RowToGrade, verdict: Verdict, *, audit: bool = False) -> bytes:
    """The row's own fields and the verdict, as one line of UTF-8."""
    line = json_record_text(graded_row_fields(row, verdict, audit=audit))
    return (
        HALF_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", line).encode("utf-8") + b"\n"
    )  # no text, but JSON escapes it


def graded_row_as_table_line(row: RowToGrade, verdict: Verdict, *, audit: bool = False) -> bytes:
    """One line of a table of fixed width; long answers are cut."""
    cells = (row.id, "right" if verdict.correct else "wrong", verdict.extracted or "–")
    padded = [_cut_cell_of_graded_row(cell, width).ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)]
    differs = audit and verdict.second is not None and verdict.second != verdict.correct
    last = verdict.reason + ("; the second grader differs" if differs else "")
    return ("  ".join([*padded, last]) + "\n").encode("utf-8", "replace")


def graded_table_head() -> bytes:
    """The names of the columns."""
    names = [name.ljust(width) for name, width in zip(("id", "verdict", "extracted"), WIDTHS, strict=True)]
    return ("  ".join([*names, "reason"]) + "\n").encode()


def _cut_cell_of_graded_row(text: str, width: int) -> str:
    plain = escaping.terminal(text[: width + 1])
    return plain if len(plain) <= width else plain[: width - 1] + "…"


def _reasons_of_graded_rows(counts: Counter[str]) -> str:
    """The reasons in the summary of graded rows, the most frequent first, with their counts."""
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
