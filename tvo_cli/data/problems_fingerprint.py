"""The fingerprint of problems: a sha256 by which two runs know that they saw the same, whatever the data set's name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.data.subset import Subset
from tvo_cli.types import Problem

GENERATED = 64  # problems of a generated data set: its settings, which are compared too, decide the rest


def fingerprint_of_problem_texts(problems: Iterable[Problem]) -> str:
    """Return the sha256 over questions, earlier turns, golds and scorers, in order; its first 16 letters."""
    seen = hashlib.sha256()
    for problem in problems:
        row = (problem.question, problem.turns, problem.answer, problem.scorer, *filter(None, [problem.suffix]))
        seen.update(json.dumps(row).encode() + b"\n")
    return seen.hexdigest()[:16]


def fingerprint_of_problems(problems: Problems) -> str:
    """Return how many there are, and the fingerprint of all that were read, or of the first that were generated."""
    read = getattr(problems, "problems", problems)  # of a source of a mixture: what it takes them from
    most = problems.size if isinstance(read, ProblemList | Subset) else GENERATED
    count = min(end for end in (problems.size, most) if end is not None)
    return f"{problems.size or 'endless'}:{fingerprint_of_problem_texts(map(problems.problem, range(count)))}"
