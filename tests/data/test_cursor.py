"""Without replacement, new order in each epoch, resumable at every position."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from tvo_cli.data import Cursor
from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.problems import ProblemList
from tvo_cli.errors import UserError
from tvo_cli.types import Problem


def rows(count: int) -> ProblemList:
    return ProblemList("r", [Problem(id=str(n), question=f"q{n}", answer=str(n), source="r") for n in range(count)])


def ids(problems: Iterable[Problem]) -> list[str]:
    return [problem.id for problem in problems]


def test_an_epoch_has_every_problem_once_and_the_next_another_order() -> None:
    cursor = Cursor(rows(12), seed=0)
    epochs = [[name for _ in range(3) for name in ids(cursor.take(4))] for _ in range(3)]
    assert all(sorted(epoch, key=int) == ids(rows(12)._problems) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert epochs[0] != ids(rows(12)._problems)


def test_seeds_give_orders() -> None:
    orders = {tuple(ids(Cursor(rows(10), seed=seed).take(10))) for seed in (0, 0, 1, 2)}
    assert len(orders) == 3


def test_every_position_has_every_problem_equally_often() -> None:
    first = [Cursor(rows(5), seed=seed).take(1)[0].id for seed in range(2000)]
    assert all(first.count(str(n)) / 2000 == pytest.approx(0.2, abs=0.04) for n in range(5))


def test_no_batch_holds_a_problem_twice() -> None:
    cursor = Cursor(rows(10), seed=3)
    for _ in range(20):
        assert len(set(ids(cursor.take(4)))) == 4
    assert cursor.state_dict() == {"epoch": 9, "position": 8, "size": 10}


def test_without_shuffling_problems_come_in_order() -> None:
    cursor = Cursor(rows(4), seed=3, shuffle=False)
    assert ids(cursor.take(2)) + ids(cursor.take(2)) + ids(cursor.take(2)) == ["0", "1", "2", "3", "0", "1"]


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize("stop", range(12))
def test_it_resumes_exactly_at_every_position(stop: int, endless: bool) -> None:
    settings = ArithmeticSettings()
    problems = ArithmeticProblems(settings, split="train", seed=0) if endless else rows(7)
    whole, first = Cursor(problems, seed=5), Cursor(problems, seed=5)
    expected = [whole.take(3) for _ in range(14)]
    began = [first.take(3) for _ in range(stop)]
    state = json.loads(json.dumps(first.state_dict()))
    assert all(type(value) is int for value in state.values())
    resumed = Cursor(problems, seed=5)
    resumed.load_state_dict(state)
    assert began + [resumed.take(3) for _ in range(14 - stop)] == expected


def test_problems_without_end_never_repeat() -> None:
    cursor = Cursor(ArithmeticProblems(ArithmeticSettings(), split="train", seed=0), seed=0)
    taken = [name for _ in range(5) for name in ids(cursor.take(16))]
    assert len(set(taken)) == 80


def test_more_prompts_than_problems() -> None:
    with pytest.raises(UserError, match=r"rollout\.prompts=8: is more than the 3 problems"):
        Cursor(rows(3), seed=0).take(8)


def test_a_checkpoint_of_other_data_is_refused() -> None:
    with pytest.raises(UserError, match="has 4 problems now, but the checkpoint was made with 5 problems"):
        Cursor(rows(4), seed=0).load_state_dict(Cursor(rows(5), seed=0).state_dict())
    endless = ArithmeticProblems(ArithmeticSettings(), split="train", seed=0)
    with pytest.raises(UserError, match="problems without end"):
        Cursor(endless, seed=0).load_state_dict(Cursor(rows(5), seed=0).state_dict())
