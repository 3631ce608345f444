"""Selection of rows: those of the split, of the wanted levels and subjects, with an answer, up to the limit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tvo_cli.data.problems import ProblemList
from tvo_cli.data.random_stream import stable_hash
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
AUTOMATIC_SHARE = 10  # dataset.holdout=null holds out one row in ten …
AUTOMATIC_MOST = 200  # … but not more than this


def select_rows(problems: Sequence[Problem], node: Mapping[str, Any], *, split: str, shared: bool) -> ProblemList:
    """Select the problems of a split. `shared`: the rows serve both splits, and dataset.holdout divides them.

    The division comes first, so that no choice of levels, subjects or limit trains on a held-out row.
    """
    rows = split_off_holdout(problems, _holdout_size(node, len(problems)), split) if shared else problems
    wanted, was_empty = problems, not rows
    for noun in ("level", "subject"):
        if node.get(f"{noun}s") is None:
            continue
        names = _wanted_names(wanted, noun, node[f"{noun}s"])
        wanted, before, rows = _rows_of_names(wanted, noun, names), rows, _rows_of_names(rows, noun, names)
        if not rows and not was_empty:
            problem = f"leaves none of the {len(before)} {'held-out' if split == 'test' else 'training'} rows."
            raise UserError(f"dataset.{noun}s", names, problem, _holdout_that_leaves_rows(problems, wanted, split))
        _say_names_without_rows(wanted, rows, noun, split)
    return ProblemList(str(node["name"]), rows[: limit_of(node)])


def _holdout_that_leaves_rows(problems: Sequence[Problem], wanted: Sequence[Problem], split: str) -> str:
    """Return which dataset.holdout has wanted rows in the split that has none."""
    marks, chosen = _marks(problems), _marks(wanted)
    if len(set(chosen)) < 2:
        return "There are too few such rows to hold one out: add more."
    if split == "test":
        return f"Take dataset.holdout={sum(mark >= max(chosen) for mark in marks)} or more."
    return f"Take dataset.holdout={sum(mark > min(chosen) for mark in marks)} at most."


def _say_names_without_rows(wanted: Sequence[Problem], rows: Sequence[Problem], noun: str, split: str) -> None:
    """Warn of wanted levels (or subjects) that the other split has alone."""
    absent = sorted({getattr(problem, noun) for problem in wanted} - {getattr(problem, noun) for problem in rows})
    if absent and rows:
        where = "no wanted row is held out" if split == "test" else "every wanted row is held out"
        log.warning("of %s %s %s", noun, ", ".join(map(repr, absent)), where)


def _marks(problems: Sequence[Problem]) -> list[int]:
    """Return where each row stands in the fixed shuffle."""
    return [stable_hash("holdout", problem.asked) for problem in problems]


def split_off_holdout(problems: Sequence[Problem], holdout: int, split: str) -> list[Problem]:
    """Return one part of the rows: the last `holdout` of a fixed shuffle are the test split, the others train.

    The shuffle orders by a hash of the question, so it depends on no seed, and equal questions stay together.
    """
    if holdout == 0:
        return list(problems) if split == "train" else []
    marks = _marks(problems)
    first = sorted(marks)[-holdout]
    return [problem for problem, mark in zip(problems, marks, strict=True) if (mark >= first) == (split == "test")]


def limit_of(node: Mapping[str, Any]) -> int | None:
    """Return dataset.limit: at most so many rows of a split are selected; None for all."""
    limit = node.get("limit")
    if limit is None:
        return None
    if not isinstance(limit, int) or limit < 1:
        raise UserError("dataset.limit", limit, "is not a number of problems.", "Give 1 or more, or null for all.")
    return limit


def _holdout_size(node: Mapping[str, Any], rows: int) -> int:
    """Return the number of held-out rows (dataset.holdout); a tenth where it is null."""
    holdout = node.get("holdout")
    if holdout is None:
        return min(AUTOMATIC_MOST, max(1, rows // AUTOMATIC_SHARE)) if rows > 1 else 0
    if not isinstance(holdout, int) or not 0 <= holdout < rows:
        raise UserError(
            "dataset.holdout",
            holdout,
            f"cannot be held out of {rows} rows.",
            f"Give 0 to {rows - 1}, or null for a tenth.",
        )
    return holdout


def _wanted_names(problems: Sequence[Problem], noun: str, wanted: str | int | Iterable[object]) -> list[str]:
    """Return the wanted levels (or subjects); refuse one that no problem has."""
    names = sorted({str(name) for name in ([wanted] if isinstance(wanted, str | int) else wanted)})
    there = sorted({getattr(problem, noun) for problem in problems})
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        raise UserError(
            f"dataset.{noun}s",
            names,
            f"no problem has {noun} {unknown[0]!r}." if unknown else f"names no {noun}.",
            f"There are: {', '.join(map(repr, there))}.",
        )
    return names


def _rows_of_names(problems: Sequence[Problem], noun: str, names: Sequence[str]) -> list[Problem]:
    """Return the problems whose level (or subject) is wanted."""
    return [problem for problem in problems if getattr(problem, noun) in names]


def skips_unanswered_rows(node: Mapping[str, Any]) -> bool:
    """Return whether rows without an answer are skipped (dataset.unanswered) or are an error."""
    chosen = node.get("unanswered") or "error"
    if chosen not in ("error", "skip"):
        raise UserError("dataset.unanswered", chosen, "is not a way to treat such rows.", "Choose error or skip.")
    return bool(chosen == "skip")
