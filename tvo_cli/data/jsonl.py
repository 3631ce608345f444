"""Problems from a file of one JSON object per line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.data.problems import Rows
from tvo_cli.data.reading import Reading, Unanswered, Unreadable, to_problem
from tvo_cli.data.selection import select
from tvo_cli.errors import UserError
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
    """Every problem of the file; the first row that is none ends it with its line number."""
    reading, seen, skipped = Reading.of(node), dict[str, int](), 0
    skip = skips(node)
    problems = []
    for line, row in _lines(path, key):
        try:
            problem = to_problem(row, reading, fallback_id=f"{path.stem}/{line}")
        except Unanswered as fault:
            if not skip:
                raise _fault(key, path, line, fault) from fault
            skipped += 1
            continue
        except Unreadable as fault:
            raise _fault(key, path, line, fault) from fault
        _remember(seen, problem.id, line, path, key)
        problems.append(problem)
    if skipped:
        log.warning("%s: %d rows without an answer are skipped", path, skipped)
    if not problems:
        raise UserError(key, path, "the file has no problem in it.", "Write one JSON object per line.")
    return problems


def skips(node: Mapping[str, Any]) -> bool:
    """dataset.unanswered: whether rows without an answer are skipped or are an error."""
    chosen = node.get("unanswered") or "error"
    if chosen not in ("error", "skip"):
        raise UserError("dataset.unanswered", chosen, "is not a way to treat such rows.", "Choose error or skip.")
    return bool(chosen == "skip")


def _path(node: Mapping[str, Any], key: str) -> Path:
    named = node.get(key.removeprefix("dataset."))
    if not named:
        raise UserError(key, named, "no file is named.", "Set dataset.path=FILE.jsonl")
    path = Path(str(named)).expanduser()
    if path.is_dir():
        raise UserError(key, path, "is a folder.", "Name the .jsonl file in it.")
    if not path.is_file():
        raise UserError(key, path, f"no such file (looked from {Path.cwd()}).", "Check the path.")
    return path


def _lines(path: Path, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number from 1 and object of every line that is not blank."""
    remedy = "Every line must be one JSON object in UTF-8."
    with path.open("rb") as file:
        for line, data in enumerate(file, start=1):
            try:
                text = data.decode("utf-8-sig" if line == 1 else "utf-8").strip()
                row = json.loads(text) if text else None
            except UnicodeDecodeError as error:
                raise UserError(key, path, f"line {line} is not UTF-8 ({error.reason}).", remedy) from error
            except (json.JSONDecodeError, RecursionError) as error:
                raise UserError(key, path, f"line {line} is not JSON ({error}).", remedy) from error
            if not text:
                continue
            if not isinstance(row, dict):
                raise UserError(key, path, f"line {line} is a {type(row).__name__}, not an object.", remedy)
            yield line, row


def _remember(seen: dict[str, int], name: str, line: int, path: Path, key: str) -> None:
    if name in seen:
        raise UserError(
            key,
            path,
            f"line {line} has the id {name!r} of line {seen[name]}.",
            "Ids must be unique: mend them, or name another column (dataset.columns.id=NAME).",
        )
    seen[name] = line


def _fault(key: str, path: Path, line: int, fault: Unreadable) -> UserError:
    return UserError(key, path, f"line {line} {fault.problem}.", fault.remedy)
