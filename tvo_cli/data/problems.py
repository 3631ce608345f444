"""Problems: the protocol that every data set has, and a list of problems that were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tvo_cli.types import Problem


class Problems(Protocol):
    """The protocol of a data set: numbered problems, finitely many or without end."""

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


class ProblemList:
    """A data set of problems that were read, in the order they were read."""

    neutral_words: tuple[str, ...] = ()

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.name = name
        self._problems = tuple(problems)
        self.size: int | None = len(self._problems)

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        return self._problems[index]
