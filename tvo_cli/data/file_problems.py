"""Problems from a file: JSON lines, a JSON array, CSV or Parquet (readers/file_formats.py)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from tvo_cli.data.named_columns import NamedColumns
from tvo_cli.data.odd_golds import log_odd_golds
from tvo_cli.data.problems import ProblemList
from tvo_cli.data.row_selection import select_rows, skips_unanswered_rows
from tvo_cli.data.row_to_problem import (
    ConvertRow,
    RowReading,
    RowWithoutAnswer,
    UnconvertibleRow,
    log_rows_without_problem,
    row_to_problem,
)
from tvo_cli.errors import UserError
from tvo_cli.readers import file_formats
from tvo_cli.readers.record import MalformedRecord
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
FIRST = 1000  # rows of the training file in which a column that the test file lacks is looked for


def load_problem_file(node: Mapping[str, Any], *, split: str, convert: ConvertRow = row_to_problem) -> ProblemList:
    """Load the split of dataset.path; the test split is dataset.test_path where that is given."""
    key = "dataset.test_path" if split == "test" and node.get("test_path") else "dataset.path"
    path = _problem_file_path(node, key)
    problems = read_problem_file(path, node, key, convert)
    rows = select_rows(problems, node, split=split, shared=not node.get("test_path"))
    if rows.size:
        return rows
    raise UserError(
        key,
        path,
        f"leaves no problem for the {split} split.",
        "Set dataset.test_path, or dataset.holdout=N to hold out N rows of dataset.path.",
    )


def read_problem_file(
    path: Path, node: Mapping[str, Any], key: str = "dataset.path", convert: ConvertRow = row_to_problem
) -> list[Problem]:
    """Read every problem of a file; the first row that is none raises with its number."""
    reading, skip, skipped = RowReading.of(node), skips_unanswered_rows(node), 0
    named, seen = NamedColumns(node), dict[str, str]()
    problems, stem = [], _stem_in_ids(path)
    for place, name, row in _problem_rows_of_file(path, key):
        named.meet(row)
        try:
            problem = convert(row, reading, f"{stem}/{name}")
        except UnconvertibleRow as fault:
            if not (skip and isinstance(fault, RowWithoutAnswer)):
                told = named.explained(fault, row)
                raise UserError(key, path, f"{place} {told.problem}.", told.remedy) from fault
            skipped += 1
            continue
        _check_id_is_new(seen, problem.id, place, path, key)
        problems.append(problem)
    if named.absent and key == "dataset.test_path":
        _meet_training_rows(named, node, path)
    named.refuse_absent()
    log_rows_without_problem(str(path), reading, unanswered=skipped)
    log_odd_golds(str(path), problems)
    if not problems:
        raise UserError(key, path, "the file has no problem in it.", "Write one JSON object per line.")
    return problems


def _stem_in_ids(path: Path) -> str:
    """Return a file's name without its ending, for the ids of its rows; bytes that are no UTF-8 as \\xfc."""
    return os.fsencode(PurePath(path.name.removesuffix(".gz")).stem).decode("utf-8", "backslashreplace")


def _meet_training_rows(named: NamedColumns, node: Mapping[str, Any], path: Path) -> None:
    """Let a test file lack a named column that the training file has; that is said."""
    lacking = dict(named.absent)
    if node.get("path"):
        for _, _, row in islice(_problem_rows_of_file(_problem_file_path(node, "dataset.path"), "dataset.path"), FIRST):
            named.meet(row)
    for noun in lacking.keys() - named.absent.keys():
        log.warning("%s has no column %r (dataset.columns.%s), which dataset.path has", path, lacking[noun], noun)


def _problem_file_path(node: Mapping[str, Any], key: str) -> Path:
    """Return the path of the problem file; UserError where there is none."""
    named = node.get(key.removeprefix("dataset."))
    if not named:
        raise UserError(key, named, "no file is named.", "Set dataset.path=FILE.jsonl (or .json, .csv, .parquet)")
    path = Path(str(named)).expanduser()
    if path.is_dir():
        raise UserError(key, path, "is a folder.", "Name the file in it.")
    if not path.is_file():
        raise UserError(key, path, f"no such file (looked from {Path.cwd()}).", "Check the path.")
    return path


def _problem_rows_of_file(path: Path, key: str) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Yield where each row of the file stands, its number, and its fields."""
    try:
        for found in file_formats.read_records(path):
            if isinstance(found, MalformedRecord):
                raise UserError(key, path, f"{found.sentence}.", found.remedy) from found
            if found.note:
                log.warning("%s: %s", path, found.note)
            yield f"{found.noun} {found.number}", found.number, found.fields
    except MalformedRecord as fault:
        raise UserError(key, path, fault.problem, fault.remedy) from fault


def _check_id_is_new(seen: dict[str, str], name: str, place: str, path: Path, key: str) -> None:
    """Refuse a row whose id an earlier row has."""
    if name in seen:
        raise UserError(
            key,
            path,
            f"{place} has the id {name!r} of {seen[name]}.",
            "Ids must be unique: mend them, or name another column (dataset.columns.id=NAME).",
        )
    seen[name] = place
