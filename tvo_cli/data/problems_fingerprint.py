"""Fingerprints of a data set: a sha256 by which two runs, or a run and its resume, know that they saw the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from tvo_cli.data.problems import Problems
from tvo_cli.types import Problem

FINGERPRINTED = 1000  # rows; of a data set without end, FINGERPRINTED_ENDLESS problems
FINGERPRINTED_ENDLESS = 64


def problems_fingerprint(problems: Problems) -> str:
    """Return the sha256 over the size and the ids, questions and answers of the first problems.

    Two runs with equal fingerprints saw the same data, whatever it was called.
    """
    endless = problems.size is None
    count = FINGERPRINTED_ENDLESS if problems.size is None else min(problems.size, FINGERPRINTED)
    digest = hashlib.sha256(b"endless" if endless else str(problems.size).encode())
    for index in range(count):
        problem = problems.problem(index)
        row = (problem.id, problem.question, problem.answer, problem.scorer, *problem.turns)
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def fingerprint_of_all_problems(problems: Iterable[Problem]) -> str:
    """Return the first 16 letters of the sha256 over questions, earlier turns, golds and scorers of all problems.

    For a checkpoint's origin: `problems_fingerprint` counts ids too, and reads the first problems only.
    """
    seen = hashlib.sha256()
    for problem in problems:
        row = (problem.question, problem.turns, problem.answer, problem.scorer, *filter(None, [problem.suffix]))
        seen.update(json.dumps(row).encode() + b"\n")
    return seen.hexdigest()[:16]
