"""Problems from a file: JSON lines, a JSON array, CSV or Parquet (readers/records.py)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from tvo_cli.data.problems import Rows
from tvo_cli.data.reading import Reading, Unanswered, Unreadable, to_problem
from tvo_cli.data.row_selection import select
from tvo_cli.errors import UserError
from tvo_cli.readers import records
from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.golds import SEVERAL
from tvo_cli.types import Problem

log = logging.getLogger("tvo")


def load_jsonl(node: Mapping[str, Any], *, split: str) -> Rows:
    """The split of dataset.path; the test split is dataset.test_path where that is given."""
    key = "dataset.test_path" if split == "test" and node.get("test_path") else "dataset.path"
    path = _path(node, key)
    problems = read(path, node, key)
    rows = select(problems, node, split=split, shared=not node.get("test_path"))
    if rows.size:
        return rows
    raise UserError(
        key,
        path,
        f"leaves no problem for the {split} split.",
        "Set dataset.test_path, or dataset.holdout=N to hold out N rows of dataset.path.",
    )


def read(path: Path, node: Mapping[str, Any], key: str = "dataset.path") -> list[Problem]:
    """Every problem of the file; the first row that is none ends it with its number."""
    reading, skip, skipped = Reading.of(node), skips(node), 0
    seen: dict[str, str] = {}
    problems, stem = [], PurePath(path.name.removesuffix(".gz")).stem
    for place, name, row in _rows(path, key):
        try:
            problem = to_problem(row, reading, fallback_id=f"{stem}/{name}")
        except Unreadable as fault:
            if not (skip and isinstance(fault, Unanswered)):
                raise UserError(key, path, f"{place} {fault.problem}.", fault.remedy) from fault
            skipped += 1
            continue
        _remember(seen, problem.id, place, path, key)
        problems.append(problem)
    say_counts(str(path), reading, unanswered=skipped)
    if not problems:
        raise UserError(key, path, "the file has no problem in it.", "Write one JSON object per line.")
    return problems


def say_counts(name: str, reading: Reading, *, unanswered: int = 0, repeated: int = 0) -> None:
    """One line for what was left out, and one for golds that could be meant otherwise."""
    if unanswered:
        log.warning("%s: %d rows without an answer are skipped", name, unanswered)
    if repeated:
        log.info("%s: %d rows that repeat a question are left out", name, repeated)
    if reading.counts["several"]:
        log.warning("%s: %d %s", name, reading.counts["several"], SEVERAL)


def skips(node: Mapping[str, Any]) -> bool:
    """dataset.unanswered: whether rows without an answer are skipped or are an error."""
    chosen = node.get("unanswered") or "error"
    if chosen not in ("error", "skip"):
        raise UserError("dataset.unanswered", chosen, "is not a way to treat such rows.", "Choose error or skip.")
    return bool(chosen == "skip")


def _path(node: Mapping[str, Any], key: str) -> Path:
    named = node.get(key.removeprefix("dataset."))
    if not named:
        raise UserError(key, named, "no file is named.", "Set dataset.path=FILE.jsonl (or .json, .csv, .parquet)")
    path = Path(str(named)).expanduser()
    if path.is_dir():
        raise UserError(key, path, "is a folder.", "Name the file in it.")
    if not path.is_file():
        raise UserError(key, path, f"no such file (looked from {Path.cwd()}).", "Check the path.")
    return path


def _rows(path: Path, key: str) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Where each row stands, its number, and its fields."""
    try:
        for found in records.read(path):
            if isinstance(found, Malformed):
                raise UserError(key, path, f"{found.sentence}.", found.remedy) from found
            yield f"{found.noun} {found.number}", found.number, found.fields
    except Malformed as fault:
        raise UserError(key, path, fault.problem, fault.remedy) from fault


def _remember(seen: dict[str, str], name: str, place: str, path: Path, key: str) -> None:
    if name in seen:
        raise UserError(
            key,
            path,
            f"{place} has the id {name!r} of {seen[name]}.",
            "Ids must be unique: mend them, or name another column (dataset.columns.id=NAME).",
        )
    seen[name] = place
