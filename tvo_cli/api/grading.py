"""Grading from Python: rows in, rows with verdicts out, as `tvo grade` judges them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.api.python_errors import options_named_as_keywords, user_errors_raised

if TYPE_CHECKING:
    import pandas as pd

    from tvo_cli.reward.rows_to_grade import RowSource, RowToGrade


def grade(
    rows: Iterable[Mapping[str, Any]] | pd.DataFrame | str | Path,
    *,
    gold: str = "gold",
    prediction: str = "prediction",
    profile: str = "math",
    scorer: str | None = None,
    unboxed: str = "wrong",
    audit: bool = False,
    workers: int = 0,
    deadline: float = 5.0,
) -> list[dict[str, Any]]:
    """Grade rows of a gold and a prediction; each comes back with correct, extracted and reason.

    rows: mappings, a DataFrame, or a file (JSON lines, JSON, CSV, Parquet). gold, prediction: the names of the fields.
    profile: math, aime or digits. scorer: a function of your own that judges instead, FILE.py:NAME.
    unboxed: what a prediction without a box answers: wrong, stated or whole.
    audit: ask a second grader too; its verdict is `second`. deadline: seconds of processor time for a row.

    Raises:
        UserError: a row cannot be read; the text names it.
    """
    from tvo_cli.readers.numbers_as_spelled import numbers_by_value
    from tvo_cli.reward.graded_rows import GradingSummary, grade_in_chunks, graded_row_fields
    from tvo_cli.reward.grader import Grader
    from tvo_cli.reward.own_scorers import checked_own_scorer
    from tvo_cli.reward.rows_to_grade import RowSource

    source = RowSource(str(rows) if isinstance(rows, str | Path) else "rows", gold, prediction, profile)
    node = {"profile": profile, "unboxed": unboxed, "audit": audit, "workers": workers, "deadline": deadline}
    with user_errors_raised(), options_named_as_keywords():
        node |= {} if scorer is None else {"scorer": checked_own_scorer("--scorer", scorer)}
        grader = Grader(node, scorer_key="--scorer")
    with user_errors_raised(), options_named_as_keywords(), grader:
        chunks = grade_in_chunks(_rows_to_grade(rows, source), grader, GradingSummary())
        pairs = [pair for chunk in chunks for pair in chunk]
    return [numbers_by_value(graded_row_fields(row, verdict, audit=audit)) for row, verdict in pairs]


def _rows_to_grade(rows: Any, source: RowSource) -> Iterator[RowToGrade]:
    """Read the rows of a file, of a DataFrame, or of mappings."""
    from tvo_cli.reward.rows_to_grade import opened_rows_to_grade, read_row_mappings, read_rows

    if isinstance(rows, str | Path):
        with opened_rows_to_grade(Path(rows), "rows") as stream:
            yield from read_rows(stream, source)
    else:
        yield from read_row_mappings(rows.to_dict("records") if hasattr(rows, "to_dict") else rows, source)
