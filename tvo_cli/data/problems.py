"""What a data set is to the rest of the program: numbered problems, finitely many or without end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

from tvo_cli.types import Problem

FINGERPRINTED = 1000  # rows; of a data set without end, FINGERPRINTED_ENDLESS problems
FINGERPRINTED_ENDLESS = 64


class Problems(Protocol):
    """Numbered problems; `problem(index)` is a pure function of the index."""

    @property
    def name(self) -> str:
        """The data set's name, which is also the source of its problems."""

    @property
    def size(self) -> int | None:
        """How many problems there are; None when they are generated without end."""

    @property
    def neutral_words(self) -> tuple[str, ...]:
        """Words no reward touches: their drift from uniform measures mode collapse. Empty when unknown."""

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""


class Rows:
    """Problems that were read from somewhere, in the order they were read."""

    neutral_words: tuple[str, ...] = ()

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.name = name
        self._problems = tuple(problems)
        self.size: int | None = len(self._problems)

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        return self._problems[index]


def fingerprint(problems: Problems) -> str:
    """sha256 over the size and the ids, questions and answers of the first problems.

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
