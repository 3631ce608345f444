"""Audit mode in an evaluation: how often the second grader differs, and on which completions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.stats import wilson_interval
from tvo_cli.tracking import atomic_files

NAME = "disagreements.jsonl"
SHOWN = ("suite", "id", "sample", "gold", "extracted", "reason", "correct", "second", "completion")


def rows_judged_by_both_graders(rows: Sequence[GradedResponse]) -> list[GradedResponse]:
    """Those that both graders judged."""
    return [row for row in rows if row.second is not None and row.correct is not None and not row.failed]


def rows_where_graders_differ(rows: Sequence[GradedResponse]) -> list[GradedResponse]:
    """Those on which the two graders differ."""
    return [row for row in rows_judged_by_both_graders(rows) if row.second != row.correct]


def summarise_disagreement(rows: Sequence[GradedResponse], confidence: float) -> dict[str, Any] | None:
    """The rate of disagreement with Wilson's interval over completions; None where no second grader was asked."""
    both = rows_judged_by_both_graders(rows)
    if not both:
        return None
    found = wilson_interval(len(rows_where_graders_differ(rows)), len(both), confidence)
    rate = {"mean": found.mean, "low": found.low, "high": found.high}
    ours = sum(bool(row.correct) for row in rows_where_graders_differ(rows))
    return {"compared": len(both), "differing": len(rows_where_graders_differ(rows)), "only_ours": ours, "rate": rate}


def write_disagreements(path: Path, rows: Sequence[GradedResponse]) -> None:
    """The rows to read, where a second grader was asked."""
    if rows_judged_by_both_graders(rows):
        atomic_files.write_json_lines_atomically(
            path, [{name: getattr(row, name) for name in SHOWN} for row in rows_where_graders_differ(rows)]
        )
