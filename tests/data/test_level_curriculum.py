"""A curriculum by level: the levels of each stage and no others, in an order that is resumable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.curriculum import build_cursor
from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

STAGES: dict[str, Any] = {
    "kind": "levels",
    "stages": [{"step": 0, "levels": [1]}, {"step": 2, "levels": [1, 2]}, {"step": 5, "levels": [3]}],
}


def rows(count: int = 30) -> ProblemList:
    return ProblemList("r", [Problem(str(n), f"q{n}", "1", "r", level=str(n % 3 + 1)) for n in range(count)])


def endless() -> Problems:
    return ArithmeticProblems(ArithmeticSettings(operations=(1, 3)), split="train", seed=0)


@pytest.mark.parametrize("problems", [rows(), endless()], ids=["read", "endless"])
def test_each_stage_draws_its_levels(problems: Problems) -> None:
    cursor = build_cursor(problems, 0, STAGES)
    taken = [[problem.level for problem in cursor.take(6, step)] for step in range(7)]
    assert set(taken[0] + taken[1]) == {"1"} and set(taken[5] + taken[6]) == {"3"}
    assert set(taken[2] + taken[3] + taken[4]) == {"1", "2"}
    assert cursor.readings() == {"data/stage": 3.0}


def test_inside_a_stage_every_problem_comes_once_an_epoch() -> None:
    cursor = build_cursor(rows(), 0, STAGES)
    taken = [problem.id for step in (0, 1) for problem in cursor.take(5, step)]
    assert sorted(taken, key=int) == [str(n) for n in range(0, 30, 3)]


def test_problems_without_end_are_never_drawn_twice() -> None:
    cursor = build_cursor(endless(), 0, STAGES)
    taken = [problem.id for step in range(7) for problem in cursor.take(5, step)]
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize("problems", [rows(), endless()], ids=["read", "endless"])
def test_gone_on_with_from_its_state_it_draws_the_same(problems: Problems) -> None:
    whole, again = build_cursor(problems, 4, STAGES), build_cursor(problems, 4, STAGES)
    for step in range(4):
        whole.take(4, step)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for step in range(4, 8):
        assert [one.id for one in whole.take(4, step)] == [one.id for one in again.take(4, step)]


@pytest.mark.parametrize(
    "stages",
    [[], [{"step": 1, "levels": [1]}], [{"step": 0, "levels": [1]}, {"step": 0, "levels": [2]}]],
    ids=["none", "late", "twice"],
)
def test_stages_begin_at_the_first_step_and_rise(stages: list[dict[str, Any]]) -> None:
    with pytest.raises(UserError, match=r"curriculum.stages=.*must begin at step 0 and rise"):
        build_cursor(rows(), 0, {"kind": "levels", "stages": stages})


def test_a_level_that_no_problem_has_is_refused_with_those_there_are() -> None:
    wrong = {"kind": "levels", "stages": [{"step": 0, "levels": [1]}, {"step": 9, "levels": [4]}]}
    with pytest.raises(UserError, match=r"curriculum.stages=\['4'\]: no problem of r has .* There are: 1, 2, 3"):
        build_cursor(rows(), 0, wrong)
    unlevelled = ProblemList("r", [Problem("0", "q", "1", "r")])
    with pytest.raises(UserError, match=r"none: the data state no level \(dataset.columns.level=NAME\)"):
        build_cursor(unlevelled, 0, STAGES)


def test_endless_problems_are_not_looked_through_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.data.level_curriculum.SEARCHED", 50)
    cursor = build_cursor(endless(), 0, {"kind": "levels", "stages": [{"step": 0, "levels": [7]}]})
    with pytest.raises(UserError, match=r"curriculum.stages=\['7'\]: no problem of arithmetic"):
        cursor.take(1)
