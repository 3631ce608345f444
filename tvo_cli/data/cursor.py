"""The cursor of a run in its problems; exactly resumable from three integers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from tvo_cli.data.problems import Problems
from tvo_cli.data.random_stream import random_stream
from tvo_cli.errors import UserError
from tvo_cli.types import Problem


class ProblemOutcome(NamedTuple):
    """How the responses to one problem were judged."""

    problem: Problem
    solved: int  # responses judged right
    judged: int  # responses that the grader could judge


class ProblemCursor(Protocol):
    """What draws the problems of a run: the same on every rank, and exactly resumable from its state."""

    problems: Problems

    def take(self, count: int, step: int = 0) -> list[Problem]:
        """The next `count` problems, all different; `step`: rollout batches done."""

    def observe(self, outcomes: Sequence[ProblemOutcome]) -> None:
        """Learn how the problems taken last were solved."""

    def readings(self) -> dict[str, float]:
        """Its metrics, named as in docs/metrics.md."""

    def state_dict(self) -> dict[str, Any]:
        """Where it is, as JSON."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, on the same problems."""

    def begin_anew(self, state: Mapping[str, Any], changed: Collection[str] = ()) -> dict[str, Any]:
        """`state` of other problems, as a start over these; `changed`: the sources of a mixture that are others."""


class Cursor:
    """A cursor over problems, without replacement, in an order that is new in each epoch.

    A batch never holds a problem twice (two rollouts of one problem would be the same rollout): the
    last few of an epoch, too few for the batch asked for, are left out. Problems without end come in order.
    """

    def __init__(self, problems: Problems, seed: int, shuffle: bool = True) -> None:
        self.problems, self.seed, self.shuffle = problems, seed, shuffle
        self.epoch = 0
        self.position = 0
        self._order: tuple[int, tuple[int, ...]] | None = None  # of an epoch, once it is asked for

    def take(self, count: int, step: int = 0) -> list[Problem]:
        """The next `count` problems, all different, whatever the step."""
        size = self.problems.size
        if size is not None:
            self._make_room(count, size)
        start, self.position = self.position, self.position + count
        return [self.problems.problem(self._index(at)) for at in range(start, self.position)]

    def observe(self, outcomes: Sequence[ProblemOutcome]) -> None:
        """Nothing: the order does not depend on how problems were solved."""

    def readings(self) -> dict[str, float]:
        """None."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Plain integers; size 0 stands for problems without end."""
        return {"epoch": self.epoch, "position": self.position, "size": self.problems.size or 0}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, on the same problems."""
        size = self.problems.size or 0
        if int(state["size"]) != size:
            raise UserError(
                "dataset",
                self.problems.name,
                f"has {_cursor_size_text(size)} now, but the checkpoint was made with "
                f"{_cursor_size_text(int(state['size']))}.",
                "Restore the data set, or start a new run.",
            )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])

    def begin_anew(self, state: Mapping[str, Any], changed: Collection[str] = ()) -> dict[str, Any]:
        """`state` of other problems, as the start of the next epoch over these."""
        return {"epoch": int(state["epoch"]) + 1, "position": 0, "size": self.problems.size or 0}

    def _make_room(self, count: int, size: int) -> None:
        if count > size:
            raise UserError(
                "rollout.prompts",
                count,
                f"is more than the {size} problems of {self.problems.name}.",
                f"Use rollout.prompts={size} or less.",
            )
        if self.position + count > size:
            self.epoch, self.position = self.epoch + 1, 0

    def _index(self, at: int) -> int:
        size = self.problems.size
        if size is None or not self.shuffle:
            return at
        if self._order is None or self._order[0] != self.epoch:
            self._order = self.epoch, order_of_epoch(self.seed, self.epoch, size)
        return self._order[1][at]


def _cursor_size_text(size: int) -> str:
    return f"{size} problems" if size else "problems without end"


@lru_cache(maxsize=4)
def order_of_epoch(seed: int, epoch: int, size: int) -> tuple[int, ...]:
    """Return the order of the problems in an epoch."""
    order = list(range(size))
    random_stream("order", seed, epoch, size).shuffle(order)
    return tuple(order)
