"""A curriculum by level: from a given step on, problems of the given levels only (curriculum=levels)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tvo_cli.data.cursor import Cursor, ProblemOutcome
from tvo_cli.data.problems import Problems
from tvo_cli.data.subset import Subset
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

KEY = "curriculum.stages"
SEARCHED = 20_000  # problems without end that are looked at, one after the other, for one of the wanted levels


@dataclass(frozen=True, slots=True)
class Stage:
    """From which step on which levels are drawn."""

    step: int  # rollout batches done
    levels: frozenset[str]


def stages_of(node: Mapping[str, Any]) -> tuple[Stage, ...]:
    """The stages of a curriculum node.

    Raises:
        UserError: there is none, the first does not begin at step 0, or a later one does not begin later.
    """
    stages = tuple(Stage(int(one["step"]), frozenset(map(str, one["levels"]))) for one in node.get("stages") or ())
    starts = [stage.step for stage in stages]
    if not starts or starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)):
        remedy = "Write 'curriculum.stages=[{step: 0, levels: [1, 2]}, {step: 100, levels: [3, 4, 5]}]'."
        raise UserError(KEY, starts, "must begin at step 0 and rise.", remedy)
    return stages


class LevelCursor:
    """A cursor over the levels of the stage that the run is in; within them without replacement, as ever.

    A stage begins its own order of its problems. Problems without end come in their order, those of other levels
    left out.
    """

    def __init__(self, problems: Problems, seed: int, stages: Sequence[Stage]) -> None:
        self.problems, self._stages = problems, stages
        self._stage = 0
        self._cursors = [Cursor(part, seed) for part in _problems_by_stage(problems, stages)]

    def take(self, count: int, step: int = 0) -> list[Problem]:
        """The next `count` problems of the levels of `step`."""
        stage = max(number for number, one in enumerate(self._stages) if one.step <= step)
        if self.problems.size is None and stage != self._stage:
            self._cursors[stage].load_state_dict(self._cursors[self._stage].state_dict())
        self._stage = stage
        cursor = self._cursors[stage]
        return cursor.take(count) if self.problems.size is not None else self._take_of_endless(cursor, count)

    def _take_of_endless(self, cursor: Cursor, count: int) -> list[Problem]:
        levels, found, passed = self._stages[self._stage].levels, list[Problem](), 0
        while len(found) < count:
            (problem,) = cursor.take(1)
            passed = 0 if problem.level in levels else passed + 1
            found += [] if passed else [problem]
            if passed > SEARCHED:
                raise _no_such_level(self.problems, levels, {problem.level})
        return found

    def check_stages(self) -> None:
        """Refuse a stage of which no problem is found; problems without end are drawn for that."""
        for stage in self._stages:
            self.take(1, stage.step)

    def observe(self, outcomes: Sequence[ProblemOutcome]) -> None:
        """Nothing: the stages are fixed."""

    def readings(self) -> dict[str, float]:
        """The stage, from 1."""
        return {"data/stage": float(self._stage + 1)}

    def state_dict(self) -> dict[str, Any]:
        """The stage, and where each of them is."""
        return {"stage": self._stage, "stages": [cursor.state_dict() for cursor in self._cursors]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, on the same problems."""
        self._stage = int(state["stage"])
        for cursor, one in zip(self._cursors, state["stages"], strict=True):
            cursor.load_state_dict(one)

    def begin_anew(self, state: Mapping[str, Any], changed: Collection[str] = ()) -> dict[str, Any]:
        """Every stage at a new start over these problems."""
        return {"stage": int(state["stage"]), "stages": [cursor.state_dict() for cursor in self._cursors]}


def _problems_by_stage(problems: Problems, stages: Sequence[Stage]) -> list[Problems]:
    """The problems of each stage; of problems without end all, for they are looked at as they come."""
    size = problems.size
    if size is None:
        return [problems] * len(stages)
    levels = [problems.problem(index).level for index in range(size)]
    for stage in stages:
        if unknown := stage.levels - set(levels):
            raise _no_such_level(problems, unknown, set(levels))
    return [Subset(problems, [i for i, level in enumerate(levels) if level in stage.levels]) for stage in stages]


def _no_such_level(problems: Problems, wanted: Collection[str], there: set[str]) -> UserError:
    known = ", ".join(sorted(filter(None, there))) or "none: the data state no level (dataset.columns.level=NAME)"
    return UserError(KEY, sorted(wanted), f"no problem of {problems.name} has such a level.", f"There are: {known}.")
