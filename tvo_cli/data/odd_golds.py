"""What is odd about the golds of data that were read: it is said once, and nothing is left out for it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from tvo_cli.types import Problem

log = logging.getLogger("tvo")
# what tables and programs write where a value is missing; "none" is not among them, for it answers "which of these?"
MISSING = frozenset({"nan", "na", "<na>", "n/a", "#n/a", "null"})


def log_odd_golds(name: str, problems: Sequence[Problem]) -> None:
    """Warn of questions that are asked twice with different golds, and of golds that name a missing value."""
    _log_differing_golds(name, problems)
    _log_missing_values(name, problems)


def _log_differing_golds(name: str, problems: Iterable[Problem]) -> None:
    first: dict[str, Problem] = {}
    differing = [
        (first[problem.asked], problem)
        for problem in problems
        if problem.answer and first.setdefault(problem.asked, problem).answer != problem.answer
    ]
    if differing:
        earlier, later = differing[0]
        log.warning(
            "%s: %d rows ask what an earlier row asks and state another gold (first: %s %r, %s %r): each is judged by "
            "its own",
            *(name, len(differing), earlier.id, earlier.answer[:40], later.id, later.answer[:40]),
        )


def _log_missing_values(name: str, problems: Iterable[Problem]) -> None:
    found = Counter(problem.answer for problem in problems if problem.answer.lower() in MISSING)
    if found:
        log.warning(
            "%s: %d golds are %s: these words are read as answers; a row without an answer has an empty field or null",
            *(name, found.total(), " or ".join(map(repr, found))),
        )
