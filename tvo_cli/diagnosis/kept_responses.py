"""The responses that a run has kept of a step, by line: what a finding points to, and what is graded again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def numbered_responses(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield line number, from 1, and row of a file in responses/; a torn line is left out."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield number, row
