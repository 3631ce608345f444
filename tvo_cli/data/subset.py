"""A subset of a data set's problems, in its order."""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.data.problems import Problems
from tvo_cli.types import Problem


class Subset:
    """The subset of a data set's problems at `indices`."""

    def __init__(self, problems: Problems, indices: Sequence[int]) -> None:
        self.name, self.neutral_words = problems.name, problems.neutral_words
        self._problems, self._indices = problems, tuple(indices)
        self.size: int | None = len(self._indices)

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        return self._problems.problem(self._indices[index])
