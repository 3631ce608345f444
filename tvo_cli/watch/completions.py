"""The responses/ of a run for the page: which files there are, and the rows of one, made harmless and short."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tvo_cli.tracking.mirrors.completion_table import COLUMNS, completion_cell, completion_text

NAME = re.compile(r"(evaluation-)?step-(\d{1,12})(?:-update-\d+)?\.jsonl")
MOST_ROWS = 64
MOST_BYTES = 1 << 20  # of a row


def response_files(run: Path) -> list[dict[str, Any]]:
    """Return the files of responses/, newest step first, each with its step and whether it is an evaluation's."""
    folder = run / "responses"
    if folder.is_symlink() or not folder.is_dir():
        return []
    names = ((path, NAME.fullmatch(path.name)) for path in folder.iterdir() if not path.is_symlink())
    found = [(int(name[2]), bool(name[1]), path.name) for path, name in names if name]
    return [{"file": file, "step": step, "evaluation": kind} for step, kind, file in sorted(found, reverse=True)]


def response_rows(run: Path, file: str) -> list[dict[str, Any]]:
    """Return the first rows of one of these files; none of any other file."""
    if file not in [one["file"] for one in response_files(run)]:
        return []
    return [_row_for_page(line) for line in _first_lines(run / "responses" / file)]


def _first_lines(path: Path) -> Iterator[bytes]:
    """The first lines of a responses/ file, each cut."""
    try:
        with path.open("rb") as lines:
            for _ in range(MOST_ROWS):
                line = lines.readline(MOST_BYTES)
                if not line:
                    return
                yield line
    except OSError:  # removed a moment ago: a run keeps the responses of some steps only
        return


def _row_for_page(line: bytes) -> dict[str, Any]:
    """Return a row with what the page shows of it."""
    try:
        row = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        row = None
    if not isinstance(row, dict):
        return {"completion": completion_text(line.decode("utf-8", "replace")), "reason": "this row is not JSON"}
    return {name: completion_cell(row[name]) for name in COLUMNS if row.get(name) is not None}
