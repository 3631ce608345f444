"""The keys that a data set's errors name, by the part that it has in a run: a test set, demonstrations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tvo_cli.errors import UserError

TEST_SETS = "evaluation.test_sets"
DEMONSTRATIONS = "algorithm.next_token.data"


@contextmanager
def keys_of_test_set(name: str) -> Iterator[None]:
    """Inside: errors of a data set name the keys that it has as a test set."""
    try:
        yield
    except UserError as error:
        key, problem, remedy = (
            re.sub(r"(?<![\w.])dataset\.(?=[a-z])", f"{TEST_SETS}.{name}.dataset.", text)
            for text in (error.key, error.problem, error.remedy)
        )
        raise UserError(f"{TEST_SETS}.{name}" if key == "dataset" else key, error.value, problem, remedy) from error


@contextmanager
def keys_of_demonstrations(name: str) -> Iterator[None]:
    """Inside: errors of a data set say that a run's next-token loss has nothing to learn of it."""
    try:
        yield
    except UserError as error:
        remedy = "Another data set: '+dataset@algorithm.next_token.data=jsonl' algorithm.next_token.data.path=FILE."
        raise UserError(DEMONSTRATIONS, name, f"has nothing to learn: {error.problem}", remedy) from error
