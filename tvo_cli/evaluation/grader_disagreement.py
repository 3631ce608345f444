"""Audit mode in an evaluation: how often the second grader differs, and on which completions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvo_cli.evaluation.responses import Response
from tvo_cli.stats import wilson
from tvo_cli.tracking import run_folder

NAME = "disagreements.jsonl"
SHOWN = ("suite", "id", "sample", "gold", "extracted", "reason", "correct", "second", "completion")


def compared(rows: Sequence[Response]) -> list[Response]:
    """Those that both graders judged."""
    return [row for row in rows if row.second is not None and row.correct is not None and not row.failed]


def differing(rows: Sequence[Response]) -> list[Response]:
    """Those on which the two graders differ."""
    return [row for row in compared(rows) if row.second != row.correct]


def summarise(rows: Sequence[Response], confidence: float) -> dict[str, Any] | None:
    """The rate of disagreement with Wilson's interval over completions; None where no second grader was asked."""
    both = compared(rows)
    if not both:
        return None
    found = wilson(len(differing(rows)), len(both), confidence)
    rate = {"mean": found.mean, "low": found.low, "high": found.high}
    ours = sum(bool(row.correct) for row in differing(rows))
    return {"compared": len(both), "differing": len(differing(rows)), "only_ours": ours, "rate": rate}


def write(path: Path, rows: Sequence[Response]) -> None:
    """The rows to read, where a second grader was asked."""
    if compared(rows):
        run_folder.write_rows(path, [{name: getattr(row, name) for name in SHOWN} for row in differing(rows)])
